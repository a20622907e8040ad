package subscriber

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// A Fleet serves any number of accounts over one connection: one subscription and one goroutine for all of them. All its
// methods may be used by any number of goroutines.
type Fleet struct {
	feed    *feed
	closing sync.Once
}

// OpenFleet prepares to open sources over nc. It blocks until it is known how new tokens are told of, as long as ctx lets
// it, and its errors are those of Open. ctx is for opening only. nc stays the caller's; close the fleet before it.
//
// A fleet watches the updates of all accounts. A NATS user that may not do so, but may watch some account by account, gets
// one subscription for each source instead.
func OpenFleet(ctx context.Context, nc *nats.Conn, opts ...Option) (*Fleet, error) {
	fleet, err := openFleet(ctx, nc, opts)
	if err != nil {
		return nil, fmt.Errorf("open token fleet: %w", err)
	}
	return fleet, nil
}

func openFleet(ctx context.Context, nc *nats.Conn, opts []Option) (*Fleet, error) {
	o, err := readFleetOptions(opts)
	if err != nil {
		return nil, err
	}
	if nc == nil {
		return nil, fmt.Errorf("%w: the connection is nil", ErrNotConnected)
	}
	fleet := &Fleet{feed: newFeed(nc, o, fleetBuffer)}
	if err := fleet.feed.watchAll(); err != nil {
		return nil, err
	}
	ready := make(chan error, 1)
	fleet.feed.ready = ready
	fleet.feed.start()
	if err := fleet.await(ctx, ready); err != nil {
		fleet.Close()
		return nil, err
	}
	return fleet, nil
}

// await waits until the feed is ready, but not for long where there may be tokens without it.
func (f *Fleet) await(ctx context.Context, ready <-chan error) error {
	var enough <-chan time.Time
	switch {
	case f.feed.keeper != nil && f.feed.link.IsConnected():
		enough = time.After(warmWait)
	case f.feed.keeper != nil:
		enough = time.After(0)
	}
	select {
	case err := <-ready:
		return err
	case <-enough:
		return nil
	case <-ctx.Done():
		if wrong := f.Err(); wrong != nil {
			return fmt.Errorf("%w: %w", ctx.Err(), wrong)
		}
		return ctx.Err()
	}
}

// Open is like the function Open: it returns when the account's first token is in hand. Opens may run at once. Opening an
// account again gives another source, which is closed by itself. After Close of the fleet it gives ErrClosed.
func (f *Fleet) Open(ctx context.Context, appid string) (*Source, error) {
	s, err := f.open(ctx, appid)
	if err != nil {
		return nil, fmt.Errorf("open token source %.64q: %w", appid, err)
	}
	return s, nil
}

func (f *Fleet) open(ctx context.Context, appid string) (*Source, error) {
	if err := wire.CheckAppID(appid); err != nil {
		return nil, err
	}
	s, opened := newSource(f.feed, appid)
	return s.open(ctx, opened)
}

// Format prints that it is a fleet, whatever the verb.
func (f *Fleet) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "fleet of token sources") }

// Err tells what is wrong for all sources alike, or nil; what is wrong with one of them only, that one's Err tells. Look
// in it for ErrClosed, ErrNotConnected, ErrNoBucket, ErrNotRepublished, ErrUnavailable and *RightsError. It does no I/O.
func (f *Fleet) Err() error {
	select {
	case <-f.feed.ended:
		return ErrClosed
	default:
		return f.feed.err()
	}
}

// Close closes all sources of the fleet and waits for its goroutines. It may be called more than once. The connection
// stays open.
func (f *Fleet) Close() {
	f.closing.Do(func() {
		f.feed.close()
		for _, w := range f.feed.wakes { // which nobody changes any more
			w.Source.Close()
		}
	})
}
