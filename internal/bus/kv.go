package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// KV is a bucket whose keys are read from the stream's leader and written with compare-and-set. jetstream.KeyValue
// reads from whichever replica answers, which may lag behind: good for services, wrong for deciding on a mint.
type KV struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	bucket string

	// Observe, if set before use, is told of each read and write: what it was (read, write, delete), what came of it and
	// how long it took.
	Observe func(op string, err error, took time.Duration)
}

// An Entry is the newest message of a key.
type Entry struct {
	Value    []byte
	Revision uint64    // 0 = the key never was, or its traces are gone
	Stored   time.Time // by the server's clock
	Exists   bool      // false also for a key that was deleted or ended: Revision is then its marker's
}

var (
	// ErrConflict tells that the key has another revision than the writer expected: somebody else wrote. Read again.
	ErrConflict = errors.New("key was changed by another writer")
	// ErrNoBucket tells that the bucket doesn't exist, or that its stream has no leader just now.
	ErrNoBucket = errors.New("bucket doesn't exist or has no leader")
)

// OpenKV returns the bucket, which need not exist yet. It does no I/O.
func OpenKV(nc *nats.Conn, js jetstream.JetStream, bucket string) *KV {
	return &KV{nc: nc, js: js, bucket: bucket}
}

// Latest reads the key from the leader. A key that isn't there is no error. ctx needs a deadline.
func (kv *KV) Latest(ctx context.Context, key string) (entry Entry, err error) {
	defer kv.observe("read", time.Now(), &err)
	ask, _ := json.Marshal(map[string]string{"last_by_subj": kv.subject(key)}) // strings always marshal
	msg, err := kv.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET.KV_"+kv.bucket, ask)
	if err != nil {
		return Entry{}, kv.fault("read", key, err)
	}
	var reply struct {
		Message *struct {
			Sequence uint64    `json:"seq"`
			Header   []byte    `json:"hdrs"`
			Data     []byte    `json:"data"`
			Time     time.Time `json:"time"`
		} `json:"message"`
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(msg.Data, &reply); err != nil {
		return Entry{}, fmt.Errorf("read %s: NATS gave no JSON", key)
	}
	switch {
	case reply.Error != nil && reply.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return Entry{}, nil
	case reply.Error != nil:
		return Entry{}, kv.fault("read", key, reply.Error)
	case reply.Message == nil:
		return Entry{}, fmt.Errorf("read %s: NATS gave no message", key)
	}
	m := reply.Message
	return Entry{Value: m.Data, Revision: m.Sequence, Stored: m.Time, Exists: !isMarker(m.Header)}, nil
}

// Put writes the key if its revision still is expected (Entry.Revision of what was read: 0 for a key that never was)
// and returns the new revision. With a ttl (whole seconds) the key ends by itself, unless it is put again before.
// Any error but ErrConflict leaves open whether the write happened. ctx needs a deadline.
func (kv *KV) Put(ctx context.Context, key string, value []byte, expected uint64, ttl time.Duration) (uint64, error) {
	return kv.publish(ctx, "write", key, &nats.Msg{Data: value, Header: nats.Header{}}, expected, ttl)
}

// Delete removes the key if its revision still is expected, and returns the revision of the marker in its place.
func (kv *KV) Delete(ctx context.Context, key string, expected uint64) (uint64, error) {
	return kv.publish(ctx, "delete", key, &nats.Msg{Header: nats.Header{"KV-Operation": {"DEL"}}}, expected, 0)
}

func (kv *KV) publish(ctx context.Context, op, key string, msg *nats.Msg, expected uint64, ttl time.Duration) (revision uint64, err error) {
	defer kv.observe(op, time.Now(), &err)
	msg.Subject = kv.subject(key)
	// The caller retries with what it knows: a publish that nats.go retried by itself could come late.
	options := []jetstream.PublishOpt{jetstream.WithExpectLastSequencePerSubject(expected), jetstream.WithRetryAttempts(0)}
	if ttl > 0 {
		options = append(options, jetstream.WithMsgTTL(ttl))
	}
	ack, err := kv.js.PublishMsg(ctx, msg, options...)
	if err != nil {
		return 0, kv.fault(op, key, err)
	}
	return ack.Sequence, nil
}

func (kv *KV) observe(op string, began time.Time, err *error) {
	if kv.Observe != nil {
		kv.Observe(op, *err, time.Since(began))
	}
}

func (kv *KV) subject(key string) string { return "$KV." + kv.bucket + "." + key }

// fault words an error with the sentinel that callers branch on.
func (kv *KV) fault(op, key string, err error) error {
	var api *jetstream.APIError
	errors.As(err, &api)
	switch {
	case api != nil && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant):
		return fmt.Errorf("%s %s: %w", op, key, ErrConflict)
	case api != nil && api.ErrorCode == jetstream.JSErrCodeStreamNotFound,
		errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		return fmt.Errorf("%s %s: %w: %s", op, key, ErrNoBucket, kv.bucket)
	}
	return fmt.Errorf("%s %s: %w", op, key, offline(err))
}

// offline says what it means that nats.go's buffer is full: Connect allows none, so that nothing is replayed late.
func offline(err error) error {
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		return fmt.Errorf("not connected to NATS: %w", err)
	}
	return err
}

// isMarker tells whether the headers are those of a deletion, by a client or by a limit.
func isMarker(header []byte) bool {
	if len(header) == 0 {
		return false
	}
	h, err := nats.DecodeHeadersMsg(header)
	if err != nil {
		return false
	}
	return isDeletion(h)
}

func isDeletion(h nats.Header) bool {
	return h.Get("KV-Operation") != "" || h.Get("Nats-Marker-Reason") != ""
}
