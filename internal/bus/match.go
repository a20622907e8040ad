package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
)

// ErrTooMany tells that more keys match than the server gives at once.
var ErrTooMany = fmt.Errorf("more than %d keys match", matchLimit)

// matchLimit is the server's own.
const matchLimit = 1024

// Match reads all keys that match pattern, e.g. budget.*, at once and without a consumer. Values come from whichever
// replica answers, so they are for showing, not for deciding. ctx needs a deadline.
func (kv *KV) Match(ctx context.Context, pattern string) (values map[string][]byte, err error) {
	inbox := kv.nc.NewInbox()
	replies, err := kv.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, kv.fault("read", pattern, err)
	}
	defer func() { _ = replies.Unsubscribe() }() // fails only with the connection
	ask, _ := json.Marshal(map[string]any{"multi_last": []string{kv.subject(pattern)}, "batch": matchLimit})
	if err := kv.nc.PublishRequest("$JS.API.DIRECT.GET.KV_"+kv.bucket, inbox, ask); err != nil {
		return nil, kv.fault("read", pattern, err)
	}
	values = make(map[string][]byte)
	for {
		msg, err := replies.NextMsgWithContext(ctx)
		if err != nil {
			return nil, kv.fault("read", pattern, err)
		}
		if done, err := kv.matched(msg, values); done || err != nil {
			return values, err
		}
	}
}

// matched takes one reply. The last one has a status in place of a value.
func (kv *KV) matched(msg *nats.Msg, values map[string][]byte) (done bool, err error) {
	key, isValue := strings.CutPrefix(msg.Header.Get("Nats-Subject"), kv.subject(""))
	if isValue {
		if !isDeletion(msg.Header) {
			values[key] = msg.Data
		}
		return false, nil
	}
	switch status := msg.Header.Get("Status"); status {
	case "204", "404": // the end; nothing matches
		return true, nil
	case "413":
		return true, fmt.Errorf("bucket %s: %w", kv.bucket, ErrTooMany)
	case "503":
		return true, fmt.Errorf("%w: %s", ErrNoBucket, kv.bucket)
	default:
		return true, fmt.Errorf("bucket %s: NATS answers %.8q %.100q", kv.bucket, status, msg.Header.Get("Description"))
	}
}
