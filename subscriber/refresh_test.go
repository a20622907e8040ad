package subscriber

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/wxtoken/wxtoken/internal/wire"
)

func TestRefreshReplaces(t *testing.T) {
	withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		r := w.respond(func(request wire.Request, req micro.Request) {
			time.Sleep(200 * time.Millisecond)
			w.mint(time.Hour)
			w.reply(req, wire.Replaced)
		})
		defer r.stop()
		old := want(t, src, 1, nil)
		tok, err := src.Refresh(t.Context(), old)
		if err != nil || tok.Generation != 2 {
			t.Fatalf("Refresh = %v, %v", tok, err)
		}
		asked := r.last.Load()
		if asked.ID != old.ID || asked.AppID != appid || asked.Client == "" {
			t.Errorf("asked %+v", asked)
		}
		for range 3 { // who comes late with the old token gets the new one without a request
			if tok, err := src.Refresh(t.Context(), old); err != nil || tok.Generation != 2 {
				t.Errorf("Refresh of an older token = %v, %v", tok, err)
			}
		}
		if tok, err := src.Refresh(t.Context(), Token{}); err != nil || tok.Generation != 2 {
			t.Errorf("Refresh of the zero token = %v, %v", tok, err)
		}
		if n := r.requests.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestRefreshCoalesces(t *testing.T) {
	withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		r := w.respond(func(request wire.Request, req micro.Request) {
			time.Sleep(time.Second)
			w.mint(time.Hour)
			w.reply(req, wire.Replaced)
		})
		defer r.stop()
		old := want(t, src, 1, nil)
		hasty, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() { // the first caller goes away before the answer is there
			if _, err := src.Refresh(hasty, old); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled Refresh: %v", err)
			}
		})
		settle()
		for range 1000 {
			callers.Go(func() {
				if tok, err := src.Refresh(t.Context(), old); err != nil || tok.Generation != 2 {
					t.Errorf("Refresh = %v, %v", tok, err)
				}
			})
		}
		settle()
		cancel()
		callers.Wait()
		if n := r.requests.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// A verdict is about the moment at which the request was sent: who was refused later must not take "still valid" from it.
func TestLateCallersGetAVerdictOfTheirOwn(t *testing.T) {
	withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		dead := make(chan struct{})
		r := w.respond(func(request wire.Request, req micro.Request) {
			select {
			case <-dead:
				time.Sleep(100 * time.Millisecond)
				w.mint(time.Hour)
				w.reply(req, wire.Replaced)
			default:
				time.Sleep(time.Second)
				w.reply(req, wire.StillValid)
			}
		})
		defer r.stop()
		old := want(t, src, 1, nil)
		var callers sync.WaitGroup
		callers.Go(func() {
			if tok, err := src.Refresh(t.Context(), old); err != nil || tok != old {
				t.Errorf("first Refresh = %v, %v", tok, err)
			}
		})
		settle()
		close(dead)
		for range 100 {
			callers.Go(func() {
				if tok, err := src.Refresh(t.Context(), old); err != nil || tok.Generation != 2 {
					t.Errorf("late Refresh = %v, %v", tok, err)
				}
			})
		}
		callers.Wait()
		if n := r.requests.Load(); n != 2 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestRefreshThatChangesNothing(t *testing.T) {
	for _, outcome := range []wire.Outcome{wire.StillValid, wire.TooSoon} {
		withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
			r := w.respond(func(request wire.Request, req micro.Request) { w.reply(req, outcome) })
			defer r.stop()
			old := want(t, src, 1, nil)
			for n := int64(1); n < 4; n++ {
				if tok, err := src.Refresh(t.Context(), old); err != nil || tok != old {
					t.Errorf("Refresh, %s = %v, %v", outcome, tok, err)
				}
				if asked := r.requests.Load(); asked != n {
					t.Errorf("%d requests, want %d", asked, n)
				}
			}
		})
	}
}

// The update of the newer token was lost: the reply makes the source get it.
func TestRefreshGetsWhatItMissed(t *testing.T) {
	for _, publishers := range []bool{true, false} {
		withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
			if publishers {
				r := w.respond(func(request wire.Request, req micro.Request) { w.reply(req, wire.AlreadyReplaced) })
				defer r.stop()
			}
			old := want(t, src, 1, nil)
			w.mintUnheard(time.Hour)
			began := time.Now()
			if tok, err := src.Refresh(t.Context(), old); err != nil || tok.Generation != 2 {
				t.Errorf("publishers %v: Refresh = %v, %v", publishers, tok, err)
			}
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Errorf("publishers %v: it took %v", publishers, took)
			}
		})
	}
}

func TestRefreshWaitsForTheReplacement(t *testing.T) {
	withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		r := w.respond(func(request wire.Request, req micro.Request) { w.reply(req, wire.Replaced) })
		defer r.stop()
		old := want(t, src, 1, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		_, err := src.Refresh(ctx, old)
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Refresh that sees no newer token: %v", err)
		}
		w.meanwhile(func() {
			time.Sleep(5 * time.Second)
			w.mint(time.Hour)
		})
		if tok, err := src.Refresh(t.Context(), old); err != nil || tok.Generation != 2 {
			t.Errorf("Refresh = %v, %v", tok, err)
		}
	})
}

func TestRefreshErrors(t *testing.T) {
	retryAt := time.Now().Add(time.Hour)
	cases := []struct {
		name  string
		code  int
		body  wire.Fault
		check func(error) bool
		after time.Duration // how long Refresh may take
		asked int64
	}{
		{"malformed", wire.CodeMalformed, wire.Fault{}, func(err error) bool { return err != nil }, 0, 1},
		{"unknown account", wire.CodeUnknownAccount, wire.Fault{}, is(ErrUnknownAccount), 0, 1},
		{"budget", wire.CodeBudgetSpent, wire.Fault{RetryAt: &retryAt}, func(err error) bool {
			spent, ok := errors.AsType[*BudgetSpentError](err)
			return ok && spent.RetryAt.Sub(retryAt).Abs() < time.Second
		}, 0, 1},
		{"refused", wire.CodeRefused, wire.Fault{ErrCode: 40164, ErrMsg: "invalid ip"}, func(err error) bool {
			refused, ok := errors.AsType[*RefusedError](err)
			return ok && *refused == RefusedError{40164, "invalid ip"}
		}, 0, 1},
		{"WeChat busy", wire.CodeRefused, wire.Fault{ErrCode: -1, ErrMsg: "system error"}, func(err error) bool {
			refused, ok := errors.AsType[*RefusedError](err)
			return ok && refused.ErrCode == -1
		}, passingLimit + lastAttemptRetry, 5},
		{"unavailable", wire.CodeUnavailable, wire.Fault{}, both(ErrUnavailable, context.DeadlineExceeded), refreshLimit, 15},
		{"timed out", wire.CodeTimeout, wire.Fault{}, both(ErrUnavailable, context.DeadlineExceeded), refreshLimit, 15},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			withSource(t, 2*time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
				r := w.respond(func(request wire.Request, req micro.Request) { w.fault(req, c.code, c.body) })
				defer r.stop()
				retryAt = time.Now().Add(time.Hour) // by the clock of the bubble
				began := time.Now()
				_, err := src.Refresh(t.Context(), want(t, src, 1, nil))
				if !c.check(err) {
					t.Errorf("Refresh: %v", err)
				}
				if took := time.Since(began); took > c.after+10*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				if asked := r.requests.Load(); asked < c.asked {
					t.Errorf("%d requests", asked)
				}
				want(t, src, 1, nil)
			})
		})
	}
}

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

func both(a, b error) func(error) bool {
	return func(err error) bool { return errors.Is(err, a) && errors.Is(err, b) }
}

func TestRefreshRetriesWhatPasses(t *testing.T) {
	withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		var tries atomic.Int64
		r := w.respond(func(request wire.Request, req micro.Request) {
			switch tries.Add(1) {
			case 1: // no answer at all, as of a replica that was killed
			case 2:
				w.fault(req, wire.CodeUnavailable, wire.Fault{})
			case 3: // WeChat gave it no answer, another may get one
				w.fault(req, wire.CodeRefused, wire.Fault{ErrMsg: "timeout"})
			case 4:
				w.mint(time.Hour)
				w.reply(req, wire.Replaced)
			}
		})
		defer r.stop()
		began := time.Now()
		tok, err := src.Refresh(t.Context(), want(t, src, 1, nil))
		if err != nil || tok.Generation != 2 || time.Since(began) > 4*time.Second {
			t.Errorf("Refresh = %v, %v after %v", tok, err, time.Since(began))
		}
	})
}

func TestRefreshWithoutPublisherOrServer(t *testing.T) {
	withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		tok := want(t, src, 1, nil)
		began := time.Now()
		if _, err := src.Refresh(t.Context(), tok); !errors.Is(err, ErrNoPublisher) || time.Since(began) > 10*time.Millisecond {
			t.Errorf("Refresh without publishers: %v after %v", err, time.Since(began))
		}
		w.server.Stop()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := src.Refresh(ctx, tok); !errors.Is(err, ErrNotConnected) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Refresh without NATS: %v", err)
		}
		w.meanwhile(func() {
			time.Sleep(3 * time.Second)
			w.server.Resume()
			time.Sleep(500 * time.Millisecond)
			w.mint(time.Hour)
		})
		r := w.respond(func(request wire.Request, req micro.Request) { w.reply(req, wire.Replaced) })
		defer r.stop()
		if tok, err := src.Refresh(t.Context(), tok); err != nil || tok.Generation != 2 {
			t.Errorf("Refresh over an outage = %v, %v", tok, err)
		}
	})
}

func TestRefreshOfAnExpiredToken(t *testing.T) {
	withSource(t, time.Minute, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		time.Sleep(2 * time.Minute)
		want(t, src, 1, ErrExpired)
		r := w.respond(func(request wire.Request, req micro.Request) {
			if request.ID == w.current().ID {
				w.mint(time.Hour)
			}
			w.reply(req, wire.Replaced)
		})
		defer r.stop()
		if tok, err := src.Refresh(t.Context(), Token{}); err != nil || tok.Generation != 2 {
			t.Errorf("Refresh = %v, %v", tok, err)
		}
	})
}

func TestRefreshOfAnotherAccountsToken(t *testing.T) {
	withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		if _, err := src.Refresh(t.Context(), Token{AppID: "wxother"}); err == nil {
			t.Error("Refresh took another account's token")
		}
	})
}

// NATS was away, and the service is back before the publishers: that nobody answers means nothing yet.
func TestRefreshWaitsForPublishersToReconnect(t *testing.T) {
	withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		tok := want(t, src, 1, nil)
		w.server.Restart(true)
		for !nc.IsConnected() {
			time.Sleep(time.Millisecond)
		}
		w.meanwhile(func() {
			time.Sleep(time.Second)
			r := w.respond(func(request wire.Request, req micro.Request) {
				w.mint(time.Hour)
				w.reply(req, wire.Replaced)
			})
			time.Sleep(5 * time.Second)
			r.stop()
		})
		if tok, err := src.Refresh(t.Context(), tok); err != nil || tok.Generation != 2 {
			t.Errorf("Refresh = %v, %v", tok, err)
		}
		time.Sleep(10 * time.Second)
		began := time.Now()
		if _, err := src.Refresh(t.Context(), want(t, src, 2, nil)); !errors.Is(err, ErrNoPublisher) || time.Since(began) > 10*time.Millisecond {
			t.Errorf("Refresh when publishers are gone: %v after %v", err, time.Since(began))
		}
	})
}
