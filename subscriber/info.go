package subscriber

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// infoTimeout is how long Open waits for the server's time before it does with the local clock.
const infoTimeout = time.Second

// syncClock learns the server's time from the stream's info, and what else that tells.
func (p *probe) syncClock(ctx context.Context) (c clock, streamErr, err error) {
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	sent := time.Now()
	info, streamErr, err := p.f.streamInfo(ctx, nil)
	if err != nil || info.Server.IsZero() {
		return clock{}, nil, errors.Join(streamErr, err)
	}
	return clockFrom(info.Server, sent, time.Now()), streamErr, nil
}

// streamInfo asks for what the bucket's stream is. streamErr is what is wrong with it; err is why there is no answer.
func (f *feed) streamInfo(ctx context.Context, request []byte) (info streamInfo, streamErr, err error) {
	msg, err := f.inbox.ask(ctx, "$JS.API.STREAM.INFO."+f.opts.names.Stream(), request)
	if errors.Is(err, nats.ErrNoResponders) {
		err = fmt.Errorf("%w %s: JetStream does not answer", ErrNoBucket, f.opts.names.Bucket)
	}
	if err != nil {
		return streamInfo{}, nil, err
	}
	info, streamErr = readInfo(msg.Data, f.opts.names)
	return info, streamErr, nil
}

// streamInfo is what a source reads of the reply to STREAM.INFO.
type streamInfo struct {
	Server time.Time `json:"ts"`
	Config struct {
		AllowDirect bool `json:"allow_direct"`
		RePublish   struct {
			Source      string `json:"src"`
			Destination string `json:"dest"`
			HeadersOnly bool   `json:"headers_only"`
		} `json:"republish"`
	} `json:"config"`
	State struct {
		Subjects map[string]uint64 `json:"subjects"` // only if asked for
	} `json:"state"`
	Total int `json:"total"` // of the subjects, on all pages
	Error struct {
		Code        int    `json:"code"`
		Description string `json:"description"`
	} `json:"error"`
}

// readInfo reads the reply, and tells what is wrong with the stream.
func readInfo(data []byte, names wire.Names) (info streamInfo, err error) {
	if json.Unmarshal(data, &info) != nil {
		return streamInfo{}, fmt.Errorf("%w: bucket %s: the stream's info is not JSON", ErrUnavailable, names.Bucket)
	}
	want := names.UpdateSubject(">")
	republished := info.Config.RePublish
	switch {
	case info.Error.Code == 404:
		err = fmt.Errorf("%w %s", ErrNoBucket, names.Bucket)
	case info.Error.Code != 0:
		err = fmt.Errorf("%w: bucket %s: %.100q", ErrUnavailable, names.Bucket, info.Error.Description)
	case !info.Config.AllowDirect:
		err = fmt.Errorf("%w %s: it does not allow direct gets", ErrNoBucket, names.Bucket)
	case republished.Source != names.KeySubject(">") || republished.Destination != want || republished.HeadersOnly:
		err = fmt.Errorf("%w: bucket %s to %s", ErrNotRepublished, names.Bucket, want)
	}
	return info, err
}
