package subscriber

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
)

func TestOpenFindsTheStoredToken(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		minted := w.mint(2 * time.Hour)
		nc := w.connect()
		defer nc.Close()
		began := time.Now()
		src := w.open(nc)
		defer src.Close()
		tok := want(t, src, 1, nil)
		if tok.ID != minted.ID || tok.AppID != appid || tok.Revision != 1 {
			t.Errorf("got %v of revision %d", tok, tok.Revision)
		}
		if off := tok.ExpiresAt.Sub(minted.ExpiresAt).Abs(); off > 10*time.Millisecond {
			t.Errorf("ExpiresAt is off by %v", off)
		}
		if took := time.Since(began); took > 10*time.Millisecond {
			t.Errorf("Open took %v", took)
		}
		if err := src.Err(); err != nil {
			t.Errorf("Err() = %v", err)
		}
	})
}

func TestOpenWaitsForWhatMayCome(t *testing.T) {
	steps := map[string]func(w *world){
		"key":    func(w *world) {},
		"bucket": func(w *world) { _ = w.js.DeleteKeyValue(context.Background(), "wx_token") },
		"server": func(w *world) { w.server.Stop() },
	}
	for name, takeAway := range steps {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				takeAway(w)
				nc := w.connect()
				defer nc.Close()
				w.meanwhile(func() {
					time.Sleep(20 * time.Second)
					switch name {
					case "bucket":
						w.makeBucket()
					case "server":
						w.server.Resume()
						time.Sleep(time.Second)
					}
					w.mint(time.Hour)
				})
				began := time.Now()
				src := w.open(nc)
				defer src.Close()
				want(t, src, 1, nil)
				if took := time.Since(began); took > 22*time.Second {
					t.Errorf("the token came after 20 s, Open returned after %v", took)
				}
				time.Sleep(5 * time.Second)
				if err := src.Err(); err != nil {
					t.Errorf("Err() = %v", err)
				}
			})
		})
	}
}

func TestOpenTellsWhatIsMissing(t *testing.T) {
	cases := []struct {
		name    string
		prepare func(w *world)
		want    error
	}{
		{"no key", func(w *world) {}, ErrNoKey},
		{"deleted key", func(w *world) { w.mint(time.Hour); _ = w.kv().Delete(context.Background(), appid+".access_token") }, ErrNoKey},
		{"no bucket", func(w *world) { _ = w.js.DeleteKeyValue(context.Background(), "wx_token") }, ErrNoBucket},
		{"no server", func(w *world) { w.server.Stop() }, ErrNotConnected},
		{"garbage", func(w *world) { w.putRaw([]byte(`{"access_token":"84_token-9"}`)) }, ErrBadValue},
		{"expired", func(w *world) { w.mint(time.Second); time.Sleep(2 * time.Second) }, ErrExpired},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				c.prepare(w)
				nc := w.connect()
				defer nc.Close()
				before := nc.NumSubscriptions()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				src, err := Open(ctx, nc, appid)
				if src != nil || !errors.Is(err, c.want) || !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("Open = %v, %v; want %v", src, err, c.want)
				}
				noTokenIn(t, err.Error())
				if after := nc.NumSubscriptions(); after != before {
					t.Errorf("%d subscriptions before, %d after", before, after)
				}
			})
		})
	}
}

func TestOpenOverClosedConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		nc := w.connect()
		nc.Close()
		if _, err := Open(t.Context(), nc, appid); !errors.Is(err, ErrNotConnected) {
			t.Errorf("Open over a closed connection: %v", err)
		}
		if _, err := Open(t.Context(), nil, appid); !errors.Is(err, ErrNotConnected) {
			t.Errorf("Open over nil: %v", err)
		}
		waiting := w.connect()
		w.meanwhile(func() {
			time.Sleep(time.Second)
			waiting.Close()
		})
		began := time.Now()
		if _, err := Open(t.Context(), waiting, appid); !errors.Is(err, ErrNotConnected) || time.Since(began) > 2*time.Second {
			t.Errorf("Open while the connection is closed: %v after %v", err, time.Since(began))
		}
	})
}

func TestUpdates(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.mint(time.Hour)
		nc := w.connect()
		defer nc.Close()
		src := w.open(nc)
		defer src.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()

		var readers sync.WaitGroup
		seen := make([][]uint64, 3)
		for i, delay := range []time.Duration{0, 0, 25 * time.Second} { // two quick readers and a slow one
			readers.Go(func() {
				for tok := range src.Updates(ctx) {
					seen[i] = append(seen[i], tok.Generation)
					time.Sleep(delay)
				}
			})
		}
		readers.Go(func() {
			for range src.Updates(ctx) {
				break
			}
		})
		settle()
		for range 4 {
			w.mint(time.Hour)
			time.Sleep(10 * time.Second)
		}
		time.Sleep(time.Minute)
		cancel()
		readers.Wait()
		for i, wanted := range [][]uint64{{1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}, {1, 4, 5}} {
			if !equal(seen[i], wanted) {
				t.Errorf("reader %d saw %v, want %v", i, seen[i], wanted)
			}
		}
		for range src.Updates(ctx) {
			t.Error("Updates of an ended ctx yields")
		}
	})
}

func equal(a, b []uint64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestUpdatesSkipsTheExpired(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.mint(10 * time.Second)
		nc := w.connect()
		defer nc.Close()
		src := w.open(nc)
		defer src.Close()
		time.Sleep(20 * time.Second)
		want(t, src, 1, ErrExpired)
		w.meanwhile(func() {
			time.Sleep(time.Minute)
			w.mint(time.Hour)
		})
		for tok := range src.Updates(t.Context()) {
			if tok.Generation != 2 {
				t.Errorf("Updates yields generation %d, which expired", tok.Generation)
			}
			break
		}
	})
}

func TestClose(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.mint(time.Hour)
		nc := w.connect()
		defer nc.Close()
		before := nc.NumSubscriptions()
		src := w.open(nc)
		tok := want(t, src, 1, nil)

		var waiting sync.WaitGroup
		waiting.Go(func() {
			for range src.Updates(t.Context()) {
			}
		})
		w.respond(nil).stop()
		block, err := w.nc.Subscribe("wx.token.refresh.*", func(*nats.Msg) {})
		if err != nil {
			t.Fatal(err)
		}
		defer block.Unsubscribe()
		settle()
		waiting.Go(func() {
			if _, err := src.Refresh(t.Context(), tok); !errors.Is(err, ErrClosed) {
				t.Errorf("Refresh while closing: %v", err)
			}
		})
		settle()
		for range 3 {
			waiting.Go(src.Close)
		}
		waiting.Wait()
		src.Close()

		if tok, err := src.Token(); tok != (Token{}) || err != ErrClosed {
			t.Errorf("Token after Close = %v, %v", tok, err)
		}
		if _, err := src.Refresh(t.Context(), tok); !errors.Is(err, ErrClosed) {
			t.Errorf("Refresh after Close: %v", err)
		}
		if err := src.Err(); err != ErrClosed {
			t.Errorf("Err after Close: %v", err)
		}
		if after := nc.NumSubscriptions(); after != before || !nc.IsConnected() {
			t.Errorf("%d subscriptions before, %d after; connected %v", before, after, nc.IsConnected())
		}
	})
}

func TestCloseWithinUpdates(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.mint(time.Hour)
		nc := w.connect()
		defer nc.Close()
		src := w.open(nc)
		for range src.Updates(t.Context()) {
			src.Close()
		}
		synctest.Wait()
	})
}

func TestManySourcesOverOneConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.mint(time.Hour)
		nc := w.connect()
		defer nc.Close()
		var sources []*Source
		for range 100 {
			sources = append(sources, w.open(nc))
		}
		w.mint(time.Hour)
		settle()
		for _, src := range sources {
			want(t, src, 2, nil)
			src.Close()
		}
	})
}
