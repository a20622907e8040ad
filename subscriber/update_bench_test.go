package subscriber

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// BenchmarkUpdate measures what one update costs a source after nats.go handed it over, beside the least that a reader could
// do: decode the JSON and keep it.
func BenchmarkUpdate(b *testing.B) {
	b.Run("by=ours", func(b *testing.B) {
		s := natstest.Start(b)
		nc := s.Connect(NATSOptions()...)
		put(b, makeBucket(b, nc), 1)
		src, err := Open(b.Context(), nc, appid)
		if err != nil {
			b.Fatal(err)
		}
		defer src.Close()
		update := newUpdate(b)
		b.ReportAllocs()
		src.feed.do(func(ctx context.Context) {
			for b.Loop() {
				src.feed.update(ctx, update.next())
			}
		})
		if tok, err := src.Token(); err != nil || tok.Generation != update.generation {
			b.Fatalf("%v, %v", tok, err)
		}
	})
	b.Run("by=json", func(b *testing.B) {
		var now atomic.Pointer[storedToken]
		update := newUpdate(b)
		b.ReportAllocs()
		for b.Loop() {
			stored := &storedToken{}
			if err := json.Unmarshal(update.next().Data, stored); err != nil {
				b.Fatal(err)
			}
			now.Store(stored)
		}
		if got := now.Load().Generation; got != update.generation {
			b.Fatal(got)
		}
	})
}

// storedToken is what a reader that wants the token and nothing else reads of a stored value.
type storedToken struct {
	AccessToken string    `json:"access_token"`
	ExpiresAt   time.Time `json:"expires_at"`
	Generation  uint64    `json:"generation"`
}

// update is a message whose generation grows each time.
type update struct {
	msg        *nats.Msg
	digits     []byte // empty, where the generation begins in the message
	generation uint64
}

func newUpdate(b *testing.B) *update {
	const generation, name = 1795361400123, `"generation":`
	data := storedValue(b, generation)
	names := wire.DefaultNames()
	at := bytes.Index(data, []byte(name)) + len(name)
	return &update{
		msg: &nats.Msg{Subject: updateSubject(), Data: data, Header: nats.Header{"Nats-Stream": {names.Stream()},
			"Nats-Subject": {names.KeySubject(wire.Key(appid, wire.KindAccessToken))}, "Nats-Sequence": {"812"},
			"Nats-Last-Sequence": {"811"}, "Nats-Time-Stamp": {time.Now().UTC().Format(time.RFC3339Nano)}}},
		digits:     data[at:at:len(data)],
		generation: generation,
	}
}

func (u *update) next() *nats.Msg {
	u.generation++
	strconv.AppendUint(u.digits, u.generation, 10) // as many digits as before
	return u.msg
}
