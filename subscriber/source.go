package subscriber

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// A Source holds the newest access_token of one account. All its methods may be used by any number of goroutines.
type Source struct {
	feed   *feed
	opts   *options // the feed's
	lone   bool     // the feed is for this source only
	appid  string
	now    atomic.Pointer[snapshot] // written by the feed's goroutine alone
	health health
	watch  *watch

	refreshes refreshes
	closing   sync.Once
	running   sync.WaitGroup // gets and requests
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
	s, opened := newSource(newFeed(nc, o, aloneBuffer), appid)
	s.lone = true
	if err := s.watch.subscribe(); err != nil {
		return nil, err
	}
	s.feed.start()
	return s.open(ctx, opened)
}

// newSource makes a source that opened is to be told of.
func newSource(f *feed, appid string) (s *Source, opened <-chan error) {
	s = &Source{feed: f, opts: &f.opts, appid: appid}
	telling := make(chan error, 1)
	s.watch = newWatch(s, telling)
	s.now.Store(&snapshot{err: errNoToken, superseded: make(chan struct{})})
	return s, telling
}

// open begins to watch the token and waits for the first.
func (s *Source) open(ctx context.Context, opened <-chan error) (*Source, error) {
	s.watch.readKept()
	if !s.feed.do(func(ctx context.Context) { s.feed.add(ctx, s.watch) }) {
		return nil, ErrClosed
	}
	if err := s.awaitFirst(ctx, opened); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// errNoToken is the state before the first token, which only Open sees.
var errNoToken = errors.New("no token yet")

func (s *Source) awaitFirst(ctx context.Context, opened <-chan error) error {
	select {
	case err := <-opened:
		return err
	case <-ctx.Done():
		wrong := s.Err()
		if wrong == nil {
			wrong = errNoToken
		}
		return fmt.Errorf("%w: %w", ctx.Err(), wrong)
	}
}

// Format prints which account the source is of, whatever the verb.
func (s *Source) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "token source of %s", s.appid) }

func (s *Source) key() string { return wire.Key(s.appid, wire.KindAccessToken) }

// log is where to tell of this source.
func (s *Source) log() *slog.Logger {
	if s.lone {
		return s.opts.log
	}
	return s.opts.log.With("appid", s.appid)
}

// ails records what is wrong with this source, and logs each change once.
func (s *Source) ails(a ailment, err error) { s.health.set(s.log, a, err) }

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
// ErrNotRepublished and *RightsError, for why the publishers gave no newer token when the source asked by itself
// (ErrNoPublisher, ErrUnknownAccount, ErrUnavailable, *BudgetSpentError, *RefusedError), and for what WithWarmStart can't
// write. A missing right to request refreshes is known after the first request only.
func (s *Source) Err() error {
	_, err := s.Token()
	if err == ErrClosed {
		return ErrClosed
	}
	if err == errNoToken {
		err = nil // what is wrong is why there is none
	}
	return errors.Join(err, s.feed.err(), s.health.all())
}

// Close ends the watch, all Updates and all Refreshes, and waits for the goroutines of the source. It may be called more
// than once, and from within a range over Updates. The connection stays open.
func (s *Source) Close() {
	s.closing.Do(func() {
		s.refreshes.close()
		if s.lone {
			s.feed.close()
		} else {
			s.feed.do(func(context.Context) { s.feed.remove(s.watch) })
		}
		s.running.Wait()
	})
}
