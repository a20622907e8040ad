package bus

import (
	"context"
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
func (kv *KV) Match(ctx context.Context, pattern string) (map[string][]byte, error) {
	values := make(map[string][]byte)
	ask := map[string]any{"multi_last": []string{kv.subject(pattern)}, "batch": matchLimit}
	err := kv.getMany(ctx, pattern, ask, func(msg *nats.Msg) {
		if !isDeletion(msg.Header) {
			values[strings.TrimPrefix(msg.Header.Get("Nats-Subject"), kv.subject(""))] = msg.Data
		}
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}
