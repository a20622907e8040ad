package subscriber

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// putFor stores a token of that generation for another account.
func (w *world) putFor(account string, generation uint64, life time.Duration) {
	w.t.Helper()
	v := token(generation, life)
	v.AppID = account
	data, err := v.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.kv().Put(w.t.Context(), wire.Key(account, wire.KindAccessToken), data); err != nil {
		w.t.Fatal(err)
	}
}

// openFleet opens a fleet over nc. The test closes it.
func (w *world) openFleet(nc *nats.Conn, opts ...Option) *Fleet {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	fleet, err := OpenFleet(ctx, nc, opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	return fleet
}

// withFleet runs test with a fleet and sources for so many accounts, which hold generation 1.
func withFleet(t *testing.T, accounts int, test func(t *testing.T, w *world, nc *nats.Conn, fleet *Fleet, sources []*Source)) {
	t.Helper()
	inBubble(t, func(t *testing.T, w *world) {
		for i := range accounts {
			w.putFor(appidOf(i), 1, 2*time.Hour)
		}
		nc := w.connect()
		defer nc.Close()
		fleet := w.openFleet(nc)
		defer fleet.Close()
		test(t, w, nc, fleet, openMany(t, fleet, accounts))
	})
}

func TestFleetSharesOneSubscription(t *testing.T) {
	withFleet(t, 300, func(t *testing.T, w *world, nc *nats.Conn, fleet *Fleet, sources []*Source) {
		if subs := nc.NumSubscriptions(); subs != 1 {
			t.Errorf("%d subscriptions", subs)
		}
		for i, src := range sources {
			if tok := want(t, src, 1, nil); tok.AppID != appidOf(i) {
				t.Fatalf("source of %s holds a token of %s", appidOf(i), tok.AppID)
			}
		}
		w.putFor(appidOf(7), 2, time.Hour)
		settle()
		for i, src := range sources {
			want(t, src, map[bool]uint64{false: 1, true: 2}[i == 7], nil)
		}
		for _, err := range []error{fleet.Err(), sources[7].Err()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
}

func TestFleetGetsAllAfterAReconnect(t *testing.T) {
	withFleet(t, 300, func(t *testing.T, w *world, nc *nats.Conn, fleet *Fleet, sources []*Source) {
		w.unheard(func() {
			for i := range sources {
				w.putFor(appidOf(i), 2, time.Hour)
			}
		})
		want(t, sources[0], 1, nil)
		if err := nc.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		for _, src := range sources {
			want(t, src, 2, nil)
		}
	})
}

func TestAnAccountOpenedTwice(t *testing.T) {
	withFleet(t, 1, func(t *testing.T, w *world, nc *nats.Conn, fleet *Fleet, sources []*Source) {
		again, err := fleet.Open(t.Context(), appidOf(0))
		if err != nil {
			t.Fatal(err)
		}
		sources[0].Close()
		w.putFor(appidOf(0), 2, time.Hour)
		settle()
		want(t, again, 2, nil)
		if _, err := sources[0].Token(); err != ErrClosed {
			t.Errorf("Token of the closed one: %v", err)
		}
	})
}

func TestFleetClose(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for i := range 10 {
			w.putFor(appidOf(i), 1, time.Hour)
		}
		nc := w.connect()
		defer nc.Close()
		fleet := w.openFleet(nc)
		sources := openMany(t, fleet, 10)
		var waiting sync.WaitGroup
		for _, src := range sources {
			waiting.Go(func() {
				for range src.Updates(t.Context()) {
				}
			})
		}
		waiting.Go(func() {
			if _, err := fleet.Open(t.Context(), "wxnobody"); !errors.Is(err, ErrClosed) {
				t.Errorf("Open while closing: %v", err)
			}
		})
		settle()
		for range 3 {
			waiting.Go(fleet.Close)
		}
		waiting.Go(sources[0].Close)
		waiting.Wait()
		sources[1].Close()
		if _, err := sources[1].Token(); err != ErrClosed {
			t.Errorf("Token: %v", err)
		}
		if _, err := sources[1].Refresh(t.Context(), Token{}); !errors.Is(err, ErrClosed) {
			t.Errorf("Refresh: %v", err)
		}
		if _, err := fleet.Open(t.Context(), appidOf(0)); !errors.Is(err, ErrClosed) {
			t.Errorf("Open: %v", err)
		}
		if err := fleet.Err(); err != ErrClosed {
			t.Errorf("Err: %v", err)
		}
		if subs := nc.NumSubscriptions(); subs != 0 || !nc.IsConnected() {
			t.Errorf("%d subscriptions left; connected %v", subs, nc.IsConnected())
		}
		for range fleet.Discover(t.Context()) {
			t.Error("a closed fleet discovers")
		}
	})
}

func TestFleetCloseWithinUpdates(t *testing.T) {
	withFleet(t, 2, func(t *testing.T, w *world, nc *nats.Conn, fleet *Fleet, sources []*Source) {
		for range sources[0].Updates(t.Context()) {
			fleet.Close()
		}
		synctest.Wait()
	})
}

func TestOpenFleetTellsWhatIsMissing(t *testing.T) {
	for want, takeAway := range map[error]func(w *world){
		ErrNotConnected: func(w *world) { w.server.Stop() },
		ErrNoBucket:     func(w *world) { _ = w.js.DeleteKeyValue(context.Background(), "wx_token") },
	} {
		inBubble(t, func(t *testing.T, w *world) {
			takeAway(w)
			nc := w.connect()
			defer nc.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if _, err := OpenFleet(ctx, nc); !errors.Is(err, want) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("OpenFleet: %v, want %v", err, want)
			}
			if subs := nc.NumSubscriptions(); subs != 0 {
				t.Errorf("%d subscriptions left", subs)
			}
		})
	}
}

func TestOpenInAFleetTellsWhatIsMissing(t *testing.T) {
	withFleet(t, 1, func(t *testing.T, w *world, nc *nats.Conn, fleet *Fleet, _ []*Source) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := fleet.Open(ctx, "wxnobody"); !errors.Is(err, ErrNoKey) {
			t.Errorf("Open of an account without a token: %v", err)
		}
		if _, err := fleet.Open(t.Context(), "wx.*"); err == nil {
			t.Error("Open took a wrong appid")
		}
		if _, err := OpenFleet(t.Context(), nil); !errors.Is(err, ErrNotConnected) {
			t.Errorf("OpenFleet over nil: %v", err)
		}
		if _, err := OpenFleet(t.Context(), nc, WithBucket("a.b")); err == nil {
			t.Error("OpenFleet took a wrong option")
		}
		nc.Close()
		settle()
		for _, open := range []func() error{
			func() error { _, err := fleet.Open(t.Context(), "wxother"); return err },
			func() error { _, err := OpenFleet(t.Context(), nc); return err },
		} {
			if err := open(); !errors.Is(err, ErrNotConnected) {
				t.Errorf("over a closed connection: %v", err)
			}
		}
	})
}

func TestAppIDs(t *testing.T) {
	withFleet(t, 20, func(t *testing.T, w *world, nc *nats.Conn, fleet *Fleet, _ []*Source) {
		if _, err := w.kv().PutString(t.Context(), "wxother.jsapi_ticket", "x"); err != nil {
			t.Fatal(err)
		}
		appids, err := fleet.AppIDs(t.Context())
		slices.Sort(appids)
		if err != nil || len(appids) != 20 || appids[0] != appidOf(0) || appids[19] != appidOf(19) {
			t.Errorf("AppIDs = %v, %v", appids, err)
		}
		if err := w.js.DeleteKeyValue(t.Context(), "wx_token"); err != nil {
			t.Fatal(err)
		}
		if appids, err := fleet.AppIDs(t.Context()); !errors.Is(err, ErrNoBucket) {
			t.Errorf("AppIDs without a bucket = %v, %v", appids, err)
		}
		w.server.Stop()
		settle()
		if appids, err := fleet.AppIDs(t.Context()); !errors.Is(err, ErrNotConnected) {
			t.Errorf("AppIDs without a server = %v, %v", appids, err)
		}
	})
}

func TestDiscover(t *testing.T) {
	withFleet(t, 3, func(t *testing.T, w *world, nc *nats.Conn, fleet *Fleet, _ []*Source) {
		ctx, cancel := context.WithCancel(t.Context())
		found := make(chan string, 2*seekerBuffer)
		var seeking sync.WaitGroup
		seeking.Go(func() {
			for appid := range fleet.Discover(ctx) {
				found <- appid
			}
		})
		for appid := range fleet.Discover(ctx) {
			found <- appid
			break
		}
		settle()
		if len(found) != 4 {
			t.Errorf("%d accounts at first", len(found))
		}
		drop(found)
		w.putFor(appidOf(1), 2, time.Hour)
		w.putFor("wxnew", 1, time.Hour)
		settle()
		if len(found) != 1 || <-found != "wxnew" {
			t.Error("the new account was not told of, or another was")
		}
		w.unheard(func() { w.putFor("wxunheard", 1, time.Hour) })
		settle()
		if err := nc.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if len(found) != 1 || <-found != "wxunheard" {
			t.Error("what came during an outage was not told of")
		}
		for i := range 2 * seekerBuffer {
			w.putFor(fmt.Sprintf("wxburst%d", i), 1, time.Hour)
		}
		time.Sleep(time.Second)
		if len(found) != 2*seekerBuffer {
			t.Errorf("%d of %d new accounts told of", len(found), 2*seekerBuffer)
		}
		cancel()
		seeking.Wait()
	})
}

func drop(found chan string) {
	for len(found) > 0 {
		<-found
	}
}
