package subscriber

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

func (f *feed) statusChanged(ctx context.Context, status nats.Status) {
	switch status {
	case nats.CONNECTED:
		f.connected(ctx)
	case nats.CLOSED:
		f.tell(f.link.down())
		for _, w := range f.wakes {
			w.failOpen(f.link.down())
		}
	}
}

// connected looks at once for what was missed while there was no connection. What was asked before will not be answered.
func (f *feed) connected(ctx context.Context) {
	now := time.Now()
	f.back.recent(f.link)
	f.abandonProbe()
	f.retries, f.probes = 0, 0
	f.synced = false
	f.missedAt = now.Add(rand.N(missedSpread))
	f.probeAt, f.getAt = f.missedAt, f.missedAt
	if f.all != nil {
		f.all.verified = false
	}
	for _, w := range slices.Clone(f.wakes) {
		w.connected(ctx, now)
	}
	f.seekAgain()
}

// ails records what is wrong for all sources alike, and logs each change once.
func (f *feed) ails(a ailment, err error) { f.health.set(f.log, a, err) }

func (f *feed) log() *slog.Logger { return f.opts.log }

// err tells what is wrong for all sources alike. Any goroutine may call it.
func (f *feed) err() error {
	ailing, down := f.health.all(), f.link.down()
	if down == ErrNotConnected && errors.Is(ailing, ErrNotConnected) {
		down = nil // a get found that out already
	}
	return errors.Join(down, ailing)
}

// homecoming is when the connection last came back.
type homecoming struct {
	mu    sync.Mutex
	count uint64
	at    time.Time
}

// othersReturn is how long publishers may need to reconnect after we did: the same server was away from them.
const othersReturn = 2 * time.Second

// recent tells whether the connection came back so lately that others may not have yet.
func (h *homecoming) recent(l link) bool {
	count := l.life().reconnects
	h.mu.Lock()
	defer h.mu.Unlock()
	if count != h.count {
		h.count, h.at = count, time.Now()
	}
	return count > 0 && time.Since(h.at) < othersReturn
}

// suspect makes the connection reconnect if it seems dead: nothing came since then, nobody else has made it reconnect
// since, and it isn't done over and over.
func (f *feed) suspect(then life) {
	if !f.link.IsConnected() || f.link.life() != then || time.Since(f.forced) < forceEvery {
		return
	}
	f.forced = time.Now()
	f.opts.log.Warn("connection to NATS seems dead: reconnecting")
	_ = f.link.ForceReconnect() // fails only if the connection is closed
}

// subscription is one to updates.
type subscription struct {
	subject  string
	sub      *nats.Subscription
	before   error // LastError when sub was made
	verified bool  // the server was seen to accept or refuse sub
}

// subscribe asks for updates, anew when there was a subscription before. None gets lost then.
func (f *feed) subscribe(s *subscription) error {
	before := f.link.LastError()
	sub, err := f.link.ChanSubscribe(s.subject, f.updates)
	if err != nil {
		return fmt.Errorf("%w: subscribe to %s: %w", ErrNotConnected, s.subject, err)
	}
	s.close()
	*s = subscription{subject: s.subject, sub: sub, before: before}
	return nil
}

func (s *subscription) close() {
	if s.sub != nil {
		_ = s.sub.Unsubscribe() // fails only with the connection, which takes the subscription with it
	}
}
