package subscriber

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// opener opens a source alone, or in a fleet of its own.
type opener func(ctx context.Context, nc *nats.Conn, opts ...Option) (src *Source, stop func(), err error)

var ways = map[string]opener{
	"alone": func(ctx context.Context, nc *nats.Conn, opts ...Option) (*Source, func(), error) {
		src, err := Open(ctx, nc, appid, opts...)
		if err != nil {
			return nil, nil, err
		}
		return src, src.Close, nil
	},
	"in a fleet": func(ctx context.Context, nc *nats.Conn, opts ...Option) (*Source, func(), error) {
		fleet, err := OpenFleet(ctx, nc, opts...)
		if err != nil {
			return nil, nil, err
		}
		src, err := fleet.Open(ctx, appid)
		if err != nil {
			fleet.Close()
			return nil, nil, err
		}
		return src, fleet.Close, nil
	},
}

// eachWay runs test in a bubble for a source that is opened alone, and for one in a fleet.
func eachWay(t *testing.T, test func(t *testing.T, w *world, nc *nats.Conn, open opener)) {
	t.Helper()
	for name, open := range ways {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				nc := w.connect()
				defer nc.Close()
				before := nc.NumSubscriptions()
				test(t, w, nc, open)
				if after := nc.NumSubscriptions(); after != before && !nc.IsClosed() {
					t.Errorf("%d subscriptions before, %d after", before, after)
				}
			})
		})
	}
}

// withEach is eachWay with a source that holds generation 1, which lives for two hours.
func withEach(t *testing.T, test func(t *testing.T, w *world, nc *nats.Conn, src *Source)) {
	t.Helper()
	eachWay(t, func(t *testing.T, w *world, nc *nats.Conn, open opener) {
		w.mint(2 * time.Hour)
		src, stop, err := open(t.Context(), nc)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		want(t, src, 1, nil)
		test(t, w, nc, src)
		stop()
	})
}

func TestFaultServerAwayAtTheStart(t *testing.T) {
	eachWay(t, func(t *testing.T, w *world, nc *nats.Conn, open opener) {
		w.mint(2 * time.Hour)
		w.server.Stop()
		w.meanwhile(func() { time.Sleep(20 * time.Second); w.server.Resume() })
		began := time.Now()
		src, stop, err := open(t.Context(), nc)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		want(t, src, 1, nil)
		if took := time.Since(began); took > 21*time.Second {
			t.Errorf("the server came after 20 s, the token after %v", took)
		}
	})
}

func TestFaultServerAwayForMinutes(t *testing.T) {
	for _, keepStore := range []bool{true, false} {
		withEach(t, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
			w.server.Stop()
			time.Sleep(10 * time.Minute)
			want(t, src, 1, nil)
			if err := src.Err(); !errors.Is(err, ErrNotConnected) {
				t.Errorf("Err() while the server is away = %v", err)
			}
			w.server.Restart(keepStore)
			time.Sleep(time.Second)
			want(t, src, 1, nil)
			if !keepStore {
				w.makeBucket()
			}
			w.mint(2 * time.Hour)
			settle()
			want(t, src, 2, nil)
			time.Sleep(3 * time.Second)
			if err := src.Err(); err != nil {
				t.Errorf("Err() = %v", err)
			}
		})
	}
}

func TestFaultBucketMadeAnew(t *testing.T) {
	withEach(t, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		if err := w.js.DeleteKeyValue(t.Context(), "wx_token"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(checkEvery)
		if err := src.Err(); !errors.Is(err, ErrNoBucket) {
			t.Errorf("Err() without the bucket = %v", err)
		}
		w.makeBucket()
		w.mint(2 * time.Hour)
		settle()
		want(t, src, 2, nil)
		time.Sleep(3 * time.Second)
		if err := src.Err(); err != nil {
			t.Error(err)
		}
	})
}

// A replica that lags behind answers a get with an older token than the one held.
func TestFaultLaggingReplica(t *testing.T) {
	withEach(t, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		old := w.current()
		w.mint(2 * time.Hour)
		settle()
		want(t, src, 2, nil)
		if err := w.js.DeleteKeyValue(t.Context(), "wx_token"); err != nil {
			t.Fatal(err)
		}
		catchesUp := time.Now().Add(time.Second)
		replica, err := w.nc.Subscribe("$JS.API.DIRECT.GET.>", func(msg *nats.Msg) {
			held := old
			if time.Now().After(catchesUp) {
				held = token(3, 2*time.Hour)
			}
			data, _ := held.Encode()
			_ = msg.RespondMsg(&nats.Msg{Data: data, Header: stored(nil, "9").Header})
		})
		if err != nil {
			t.Fatal(err)
		}
		defer replica.Unsubscribe()
		if err := nc.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(900 * time.Millisecond)
		want(t, src, 2, nil)
		time.Sleep(2 * time.Second)
		want(t, src, 3, nil)
	})
}

func TestFaultLostUpdate(t *testing.T) {
	withEach(t, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		time.Sleep(time.Hour)
		w.mintUnheard(2 * time.Hour)
		time.Sleep(checkEvery)
		want(t, src, 2, nil)
		w.mint(2 * time.Hour)
		settle()
		want(t, src, 3, nil)
		if subs := nc.NumSubscriptions(); subs != 1 {
			t.Errorf("%d subscriptions", subs)
		}
	})
}

func TestFaultDrainedConnection(t *testing.T) {
	withEach(t, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		if err := nc.Drain(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		want(t, src, 1, nil)
		if err := src.Err(); !errors.Is(err, ErrNotConnected) {
			t.Errorf("Err() = %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := src.Refresh(ctx, Token{}); err != nil { // any newer one than none
			t.Errorf("Refresh: %v", err)
		}
		time.Sleep(2 * time.Hour)
		want(t, src, 1, ErrExpired)
	})
}

func TestFaultBurstBeyondTheBuffer(t *testing.T) {
	const accounts, rounds = 200, 50
	withFleet(t, accounts, func(t *testing.T, w *world, nc *nats.Conn, fleet *Fleet, sources []*Source) {
		js, err := jetstream.New(w.nc, jetstream.WithPublishAsyncMaxPending(accounts))
		if err != nil {
			t.Fatal(err)
		}
		fleet.feed.do(func(context.Context) { // which takes no update meanwhile
			for round := range uint64(rounds) {
				mintMany(t, js, accounts, 2+round)
			}
			if err := nc.Flush(); err != nil {
				t.Error(err)
			}
		})
		if dropped, err := fleet.feed.all.sub.Dropped(); dropped == 0 || err != nil {
			t.Errorf("%d updates dropped, %v", dropped, err)
		}
		time.Sleep(time.Second)
		for _, src := range sources {
			want(t, src, 1+rounds, nil)
		}
	})
}

// The token of one account is missing, which costs the others nothing, and is told by its own source only.
func TestFaultOfOneAccountIsItsOwn(t *testing.T) {
	withFleet(t, 10, func(t *testing.T, w *world, nc *nats.Conn, fleet *Fleet, sources []*Source) {
		if err := w.kv().Delete(t.Context(), wire.Key(appidOf(3), wire.KindAccessToken)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * checkEvery)
		for i, src := range sources {
			if err := src.Err(); errors.Is(err, ErrNoKey) != (i == 3) {
				t.Errorf("Err() of account %d = %v", i, err)
			}
		}
		if err := fleet.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestFleetLeavesNothingOnTheServer(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for i := range 100 {
			w.putFor(appidOf(i), 1, time.Hour)
		}
		nc := w.connect()
		defer nc.Close()
		settle()
		before := w.server.NumSubscriptions()
		fleet := w.openFleet(nc)
		openMany(t, fleet, 100)
		settle()
		if during := w.server.NumSubscriptions(); during != before+1 {
			t.Errorf("%d subscriptions on the server for 100 sources", during-before)
		}
		fleet.Close()
		settle()
		if after := w.server.NumSubscriptions(); after != before {
			t.Errorf("%d subscriptions before, %d after", before, after)
		}
	})
}

func TestFleetNames(t *testing.T) {
	withFleet(t, 1, func(t *testing.T, w *world, nc *nats.Conn, fleet *Fleet, sources []*Source) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
			noTokenIn(t, fmt.Sprintf(verb+verb, fleet, sources[0]))
		}
	})
}
