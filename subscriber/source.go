package subscriber

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// A Source holds the newest access_token of one account. All its methods may be used by any number of goroutines.
type Source struct {
	link   link
	appid  string
	opts   options
	now    atomic.Pointer[snapshot] // written by the watch's goroutine alone
	clock  atomic.Pointer[clock]    // likewise
	health health

	kicks  chan chan struct{} // asks the watch to get the key; it closes what it was sent after that
	opened chan error         // the watch's word to Open: nil, or what waiting can't mend
	ended  chan struct{}      // closed when the watch is over

	refreshes refreshes
	stop      func()
	closing   sync.Once
	running   sync.WaitGroup
}

// Open watches the token of the account appid over nc and returns when the first one is in hand. It waits as long as ctx
// lets it for what may yet come: the connection, the bucket, the key, a token that has not expired. It fails at once for
// what waiting can't mend: wrong options, a closed connection, missing rights.
//
// The error tells what is missing: look for ErrNotConnected, ErrNoBucket, ErrNoKey, ErrExpired and *RightsError in it.
// ctx is for opening only. nc stays the caller's; close the source before it.
func Open(ctx context.Context, nc *nats.Conn, appid string, opts ...Option) (*Source, error) {
	s, err := open(ctx, nc, appid, opts)
	if err != nil {
		return nil, fmt.Errorf("open token source %.64q: %w", appid, err)
	}
	return s, nil
}

func open(ctx context.Context, nc *nats.Conn, appid string, opts []Option) (*Source, error) {
	o, err := readOptions(appid, opts)
	if err != nil {
		return nil, err
	}
	if nc == nil {
		return nil, fmt.Errorf("%w: the connection is nil", ErrNotConnected)
	}
	s := newSource(nc, appid, o)
	if err := s.start(); err != nil {
		return nil, err
	}
	if err := s.awaitFirst(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func newSource(nc *nats.Conn, appid string, o options) *Source {
	s := &Source{
		link:   link{nc},
		appid:  appid,
		opts:   o,
		kicks:  make(chan chan struct{}),
		opened: make(chan error, 1),
		ended:  make(chan struct{}),
	}
	s.health.log = o.log
	here := localClock()
	s.clock.Store(&here)
	s.now.Store(&snapshot{err: errNoToken, superseded: make(chan struct{})})
	return s
}

// errNoToken is the state before the first token, which only Open sees.
var errNoToken = errors.New("no token yet")

func (s *Source) start() error {
	w, err := newWatch(s)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.running.Go(func() { w.run(ctx) })
	return nil
}

func (s *Source) awaitFirst(ctx context.Context) error {
	select {
	case err := <-s.opened:
		return err
	case <-ctx.Done():
		wrong := s.Err()
		if wrong == nil {
			wrong = errNoToken
		}
		return fmt.Errorf("%w: %w", ctx.Err(), wrong)
	}
}

// Token returns the newest token. It does no I/O, takes no lock and reads no clock, so call it for every request to
// WeChat instead of keeping its result.
//
// The error is ErrExpired when the token came to its end without a successor; the old token comes along, for the log.
// After Close it is ErrClosed, and the Token is zero.
func (s *Source) Token() (Token, error) {
	now := s.now.Load()
	return now.token, now.err
}

// Updates yields the current token and then each newer one, until ctx ends or the source is closed. It never yields an
// expired one, and never an older one after a newer. A reader that is slower than the tokens come skips to the newest.
// Any number of readers may range at once, and each sees every token.
func (s *Source) Updates(ctx context.Context) iter.Seq[Token] {
	return func(yield func(Token) bool) {
		var seen uint64
		for ctx.Err() == nil {
			now := s.now.Load()
			switch {
			case now.err == ErrClosed:
				return
			case now.live(seen):
				seen = now.token.Generation
				if !yield(now.token) {
					return
				}
				continue
			}
			select {
			case <-now.superseded:
			case <-ctx.Done():
			}
		}
	}
}

// Err tells what is wrong now, or nil when all is well. The token may well be good while something is: Err is for
// readiness pages and alarms, Token's error for use. It does no I/O.
//
// Look in it with errors.Is and errors.As for ErrClosed, ErrExpired, ErrNotConnected, ErrNoBucket, ErrNoKey, ErrBadValue,
// ErrNotRepublished, ErrNoPublisher, ErrUnavailable and *RightsError. A missing right to request refreshes is known after
// the first request only.
func (s *Source) Err() error {
	_, err := s.Token()
	if err == ErrClosed {
		return ErrClosed
	}
	if err == errNoToken {
		err = nil // what is wrong is why there is none
	}
	ailing, cutOff := s.health.all(), s.connectionErr()
	if cutOff == ErrNotConnected && errors.Is(ailing, ErrNotConnected) {
		cutOff = nil // a check found that out already
	}
	return errors.Join(err, cutOff, ailing)
}

func (s *Source) connectionErr() error {
	switch {
	case s.link.IsClosed():
		return fmt.Errorf("%w: the connection is closed for good", ErrNotConnected)
	case !s.link.IsConnected():
		return ErrNotConnected
	}
	return nil
}

// Close ends the watch, all Updates and all Refreshes, and waits for the goroutines of the source. It may be called more
// than once, and from within a range over Updates. The connection stays open.
func (s *Source) Close() {
	s.closing.Do(func() {
		s.refreshes.close()
		s.stop()
		s.running.Wait()
	})
}
