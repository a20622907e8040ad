package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// longestHistory is the most values of a key that a bucket can keep.
const longestHistory = 64

// History reads what the key holds and held, the oldest first, at once and without a consumer. Deletions are left out.
// Like Match it is for showing, not for deciding. ctx needs a deadline.
func (kv *KV) History(ctx context.Context, key string) (entries []Entry, err error) {
	ask := map[string]any{"seq": 1, "next_by_subj": kv.subject(key), "batch": longestHistory}
	err = kv.getMany(ctx, key, ask, func(msg *nats.Msg) {
		if isDeletion(msg.Header) {
			return
		}
		entry := Entry{Value: msg.Data, Exists: true}
		entry.Revision, _ = strconv.ParseUint(msg.Header.Get("Nats-Sequence"), 10, 64) // the server wrote it
		entry.Stored, _ = time.Parse(time.RFC3339Nano, msg.Header.Get("Nats-Time-Stamp"))
		entries = append(entries, entry)
	})
	return entries, err
}

// getMany asks whichever replica answers for many values and gives each to take.
func (kv *KV) getMany(ctx context.Context, keys string, ask map[string]any, take func(*nats.Msg)) error {
	inbox := kv.nc.NewInbox()
	replies, err := kv.nc.SubscribeSync(inbox)
	if err != nil {
		return kv.fault("read", keys, err)
	}
	defer func() { _ = replies.Unsubscribe() }() // fails only with the connection
	data, _ := json.Marshal(ask)                 // texts and numbers always marshal
	if err := kv.nc.PublishRequest("$JS.API.DIRECT.GET.KV_"+kv.bucket, inbox, data); err != nil {
		return kv.fault("read", keys, err)
	}
	for {
		msg, err := replies.NextMsgWithContext(ctx)
		if err != nil {
			return kv.fault("read", keys, err)
		}
		if !strings.HasPrefix(msg.Header.Get("Nats-Subject"), kv.subject("")) {
			return kv.ended(msg.Header)
		}
		take(msg)
	}
}

// ended reads the last reply, which has a status in place of a value.
func (kv *KV) ended(header nats.Header) error {
	switch status := header.Get("Status"); status {
	case "204", "404": // the end; nothing matches
		return nil
	case "413":
		return fmt.Errorf("bucket %s: %w", kv.bucket, ErrTooMany)
	case "503":
		return fmt.Errorf("%w: %s", ErrNoBucket, kv.bucket)
	default:
		return fmt.Errorf("bucket %s: NATS answers %.8q %.100q", kv.bucket, status, header.Get("Description"))
	}
}
