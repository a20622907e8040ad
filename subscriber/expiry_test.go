package subscriber

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/wxtoken/wxtoken/internal/wire"
)

func TestExpiry(t *testing.T) {
	withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		time.Sleep(time.Hour - time.Second)
		want(t, src, 1, nil)
		time.Sleep(time.Second + clockNoise)
		tok := want(t, src, 1, ErrExpired)
		if tok.ID != w.current().ID {
			t.Error("the expired token doesn't come along")
		}
		if err := src.Err(); !errors.Is(err, ErrExpired) || !errors.Is(err, ErrNoPublisher) {
			t.Errorf("Err() = %v", err)
		}
		w.mint(time.Hour)
		settle()
		want(t, src, 2, nil)
		if err := src.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestExpiresOnTimeWhileNATSIsAway(t *testing.T) {
	withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		w.server.Stop()
		time.Sleep(time.Hour - time.Second)
		want(t, src, 1, nil)
		time.Sleep(time.Second + clockNoise)
		want(t, src, 1, ErrExpired)
	})
}

func TestAsksByItselfNearTheEnd(t *testing.T) {
	for _, life := range []time.Duration{6 * time.Second, time.Minute, 2 * time.Hour} {
		withSource(t, life, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
			r := w.respond(func(request wire.Request, req micro.Request) {
				w.mint(life)
				w.reply(req, wire.Replaced)
			})
			if life > 3*time.Second {
				time.Sleep(life - near(life) - 100*time.Millisecond)
			}
			if asked := r.requests.Load(); asked != 0 {
				t.Errorf("life %v: asked %d times long before the end", life, asked)
			}
			time.Sleep(near(life) + 50*time.Millisecond)
			want(t, src, 2, nil)
			if asked := r.requests.Load(); asked != 1 {
				t.Errorf("life %v: asked %d times", life, asked)
			}
			if id := r.last.Load().ID; id != wire.TokenID("84_token-1") {
				t.Errorf("asked about %q", id)
			}
			r.stop()
		})
	}
}

func TestGetComesBeforeAskingByItself(t *testing.T) {
	withSource(t, 6*time.Second, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		r := w.respond(func(request wire.Request, req micro.Request) { w.reply(req, wire.AlreadyReplaced) })
		w.mintUnheard(time.Hour)
		time.Sleep(6 * time.Second)
		want(t, src, 2, nil)
		if asked := r.requests.Load(); asked != 0 {
			t.Errorf("asked %d times for what the bucket held", asked)
		}
		r.stop()
	})
}

func TestGoesOnAskingAfterTheEnd(t *testing.T) {
	withSource(t, time.Minute, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		r := w.respond(func(request wire.Request, req micro.Request) {
			w.fault(req, wire.CodeRefused, wire.Fault{ErrCode: 40164})
		})
		time.Sleep(11 * time.Minute)
		if asked := r.requests.Load(); asked < 20 || asked > 60 {
			t.Errorf("asked %d times in 10 minutes", asked)
		}
		if refused, ok := errors.AsType[*RefusedError](src.Err()); !ok || refused.ErrCode != 40164 {
			t.Errorf("Err() = %v", src.Err())
		}
		r.stop()
	})
}

// clocks of services are off by minutes: only durations of the server's clock count.
func TestClockThatIsOff(t *testing.T) {
	now := time.Now()
	for _, off := range []time.Duration{-time.Hour, -time.Minute, 0, time.Minute, time.Hour} {
		server := now.Add(off)
		c := clockFrom(server.Add(5*time.Millisecond), now, now.Add(10*time.Millisecond))
		e := entry{Value: token(1, 2*time.Hour)}
		e.ExpiresAt = server.Add(90 * time.Minute)
		snap := snapshotOf(e, c, now)
		if left := snap.end.Sub(now); left != 90*time.Minute || snap.err != nil {
			t.Errorf("clock off by %v: token lives for %v, want 90m", off, left)
		}
	}
}

func TestServersTimeMovesTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		nc := w.connect()
		defer nc.Close()
		for _, off := range []time.Duration{-30 * time.Minute, 30 * time.Minute} {
			idle := idle(t, nc)
			defer idle.end()
			now := time.Now()
			first := entry{Value: token(1, 2*time.Hour)}
			first.ExpiresAt = now.Add(off + time.Hour) // an hour from now on the server's clock
			idle.hold(first)
			idle.feed.syncedTo(t.Context(), clock{server: now.Add(off), here: now})
			if tok := want(t, idle.Source, 1, nil); tok.ExpiresAt.Sub(now) != time.Hour {
				t.Errorf("off by %v: the held token lives for %v", off, tok.ExpiresAt.Sub(now))
			}
			second := entry{Value: token(2, 2*time.Hour)}
			second.ExpiresAt = first.ExpiresAt
			idle.hold(second)
			if tok := want(t, idle.Source, 2, nil); tok.ExpiresAt.Sub(now) != time.Hour {
				t.Errorf("off by %v: the next token lives for %v", off, tok.ExpiresAt.Sub(now))
			}
			idle.feed.syncedTo(t.Context(), clock{server: now.Add(off + 2*time.Hour), here: now})
			want(t, idle.Source, 2, ErrExpired)
			idle.feed.syncedTo(t.Context(), clock{server: now.Add(off), here: now})
			want(t, idle.Source, 2, nil)
		}
	})
}

func TestNoTokenLivesLongerThanWeChatSaid(t *testing.T) {
	now := time.Now()
	e := entry{Value: token(1, 2*time.Hour)}
	e.ExpiresAt = now.Add(9 * time.Hour) // as a local clock sees it that is 7 hours late
	if left := snapshotOf(e, clock{now, now}, now).end.Sub(now); left != 2*time.Hour {
		t.Errorf("token lives for %v", left)
	}
}
