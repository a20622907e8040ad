package subscriber

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// infoTimeout is how long Open waits for the server's time before it does with the local clock.
const infoTimeout = time.Second

// syncClock learns the server's time from the stream's info, and what else that tells.
func (c *check) syncClock(ctx context.Context) {
	askCtx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	sent := time.Now()
	msg, err := c.w.link.request(askCtx, "$JS.API.STREAM.INFO."+c.w.opts.names.Stream(), nil)
	received := time.Now()
	if err != nil {
		if errors.Is(err, nats.ErrNoResponders) {
			err = fmt.Errorf("%w %s: JetStream does not answer", ErrNoBucket, c.w.opts.names.Bucket)
		}
		c.post(ctx, func(context.Context) { c.w.notSynced(err) })
		return
	}
	info, err := c.readInfo(msg.Data)
	if info.Server.IsZero() {
		c.post(ctx, func(context.Context) { c.w.notSynced(err) })
		return
	}
	c.post(ctx, func(context.Context) { c.w.syncedTo(clockFrom(info.Server, sent, received), err) })
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
	Error struct {
		Code        int    `json:"code"`
		Description string `json:"description"`
	} `json:"error"`
}

// readInfo reads the reply, and tells what is wrong with the stream.
func (c *check) readInfo(data []byte) (info streamInfo, err error) {
	names := c.w.opts.names
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

// notSynced means that the server's time could not be learned.
func (w *watch) notSynced(err error) {
	w.health.set(ailingStream, err)
	if !errors.Is(err, ErrNotConnected) && !errors.Is(err, ErrNoBucket) {
		w.timed = true
	}
}

// syncedTo takes the server's time, and moves the end of the held token accordingly.
func (w *watch) syncedTo(c clock, streamErr error) {
	w.health.set(ailingStream, streamErr)
	w.synced, w.timed = true, true
	w.clock.Store(&c)
	now, snap := time.Now(), w.now.Load()
	if snap.token.Generation == 0 {
		return
	}
	end := localEnd(snap.serverEnd, snap.life, c, now)
	if end.Sub(snap.end).Abs() < clockNoise {
		return
	}
	w.replace(snap.endingAt(end, now))
	w.plan(end, snap.life)
}
