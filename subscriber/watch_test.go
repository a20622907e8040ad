package subscriber

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// withSource runs test with a source that holds generation 1, which lives for life.
func withSource(t *testing.T, life time.Duration, test func(t *testing.T, w *world, nc *nats.Conn, src *Source)) {
	t.Helper()
	inBubble(t, func(t *testing.T, w *world) {
		w.mint(life)
		nc := w.connect()
		defer nc.Close()
		src := w.open(nc)
		defer src.Close()
		test(t, w, nc, src)
	})
}

func TestRotation(t *testing.T) {
	withSource(t, 2*time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		for generation := uint64(2); generation < 30; generation++ {
			time.Sleep(115 * time.Minute)
			want(t, src, generation-1, nil)
			w.mint(2 * time.Hour)
			settle()
			want(t, src, generation, nil)
		}
		if err := src.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestI6NeverAnOlderToken(t *testing.T) {
	withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		w.put(token(7, time.Hour))
		settle()
		for _, older := range []uint64{6, 7, 1} {
			w.put(token(older, 2*time.Hour))
			settle()
			want(t, src, 7, nil)
		}
		if err := w.js.DeleteKeyValue(t.Context(), "wx_token"); err != nil { // a store made anew, with an old token
			t.Fatal(err)
		}
		w.makeBucket()
		w.put(token(3, 2*time.Hour))
		time.Sleep(15 * time.Minute)
		want(t, src, 7, nil)
		w.put(token(8, 2*time.Hour))
		settle()
		want(t, src, 8, nil)
	})
}

func TestGarbageIsIgnoredAndTold(t *testing.T) {
	stranger := token(50, time.Hour)
	stranger.AppID = "wxother"
	strange, _ := stranger.Encode()
	for _, garbage := range []string{"84_token-99", `{"access_token":"84_token-99"}`, "null", "[]", string(strange), "\xff"} {
		withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
			w.putRaw([]byte(garbage))
			settle()
			want(t, src, 1, nil)
			err := src.Err()
			if !errors.Is(err, ErrBadValue) {
				t.Fatalf("Err() after %q = %v", garbage, err)
			}
			noTokenIn(t, err.Error())
			w.mint(time.Hour)
			settle()
			want(t, src, 2, nil)
			if err := src.Err(); err != nil {
				t.Errorf("Err() after a good value = %v", err)
			}
		})
	}
}

func TestWhatIsNoStoredValueIsIgnored(t *testing.T) {
	withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		data, _ := token(99, time.Hour).Encode()
		subject := "wx.token.update." + appid + ".access_token"
		for _, header := range []nats.Header{
			nil,
			{"Nats-Sequence": {"5"}},
			{"Nats-Sequence": {"5"}, "Nats-Stream": {"KV_wx_token"}, "Nats-Subject": {"$KV.other." + appid + ".access_token"}},
			{"Nats-Sequence": {"5", "x"}, "Nats-Stream": {"KV_wx_token"}, "Nats-Subject": {"$KV.wx_token." + appid + ".access_token"}},
		} {
			if err := w.nc.PublishMsg(&nats.Msg{Subject: subject, Header: header, Data: data}); err != nil {
				t.Fatal(err)
			}
		}
		settle()
		if err := w.kv().Delete(t.Context(), appid+".access_token"); err != nil {
			t.Fatal(err)
		}
		settle()
		if err := w.kv().Purge(t.Context(), appid+".access_token"); err != nil {
			t.Fatal(err)
		}
		settle()
		want(t, src, 1, nil)
		if err := src.Err(); err != nil {
			t.Errorf("Err() = %v", err)
		}
	})
}

func TestLastHeaderValueCounts(t *testing.T) {
	withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		data, _ := token(2, time.Hour).Encode()
		_, err := w.js.PublishMsg(t.Context(), &nats.Msg{Subject: "$KV.wx_token." + appid + ".access_token", Data: data,
			Header: nats.Header{"Nats-Sequence": {"777"}, "Nats-Subject": {"forged"}}})
		if err != nil {
			t.Fatal(err)
		}
		settle()
		if tok := want(t, src, 2, nil); tok.Revision != 2 {
			t.Errorf("revision %d, want the server's 2", tok.Revision)
		}
	})
}

func TestHealsAfterARestart(t *testing.T) {
	for _, keepStore := range []bool{true, false} {
		t.Run(fmt.Sprint("store kept ", keepStore), func(t *testing.T) {
			withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
				w.server.Stop()
				time.Sleep(time.Minute)
				want(t, src, 1, nil)
				if err := src.Err(); !errors.Is(err, ErrNotConnected) {
					t.Errorf("Err() while the server is down = %v", err)
				}
				w.server.Restart(keepStore)
				time.Sleep(time.Second)
				if !keepStore {
					if err := src.Err(); !errors.Is(err, ErrNoBucket) {
						t.Errorf("Err() with an empty store = %v", err)
					}
					w.makeBucket()
				}
				w.mint(time.Hour)
				settle()
				want(t, src, 2, nil)
				time.Sleep(3 * time.Second)
				if err := src.Err(); err != nil {
					t.Errorf("Err() = %v", err)
				}
			})
		})
	}
}

// A token is minted while the service is cut off, so that no update reaches it.
func TestGetsAfterAReconnect(t *testing.T) {
	withSource(t, time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		w.mintUnheard(time.Hour)
		time.Sleep(10 * time.Second)
		want(t, src, 1, nil)
		if err := nc.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		want(t, src, 2, nil)
	})
}

func TestChecksNowAndThen(t *testing.T) {
	withSource(t, 2*time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
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

// A soak found services for minutes without a token that had been stored while their NATS server was cut off from the
// others: no update told of it, and no connection was lost.
func TestLooksWhenASuccessorIsOverdue(t *testing.T) {
	const life, ahead = 2 * time.Hour, 5 * time.Minute
	withSource(t, life, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		time.Sleep(life - ahead)
		w.mint(life)
		time.Sleep(life - ahead)
		w.mintUnheard(life)
		time.Sleep(ahead / 10)
		want(t, src, 3, nil)
	})
}

func TestBurstOfUpdates(t *testing.T) {
	withSource(t, 2*time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		for range 10 * aloneBuffer {
			w.mint(time.Hour)
		}
		time.Sleep(time.Second)
		want(t, src, w.current().Generation, nil)
	})
}

func TestBucketMadeAnew(t *testing.T) {
	withSource(t, 2*time.Hour, func(t *testing.T, w *world, nc *nats.Conn, src *Source) {
		if err := w.js.DeleteKeyValue(t.Context(), "wx_token"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(checkEvery)
		want(t, src, 1, nil)
		if err := src.Err(); !errors.Is(err, ErrNoBucket) {
			t.Errorf("Err() without the bucket = %v", err)
		}
		w.makeBucket()
		w.mint(time.Hour)
		settle()
		want(t, src, 2, nil)
		time.Sleep(3 * time.Second)
		if err := src.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestBucketThatDoesNotRepublish(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		config := bucketConfig()
		config.RePublish = nil
		config.Bucket = "other"
		if _, err := w.js.CreateKeyValue(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		kv, _ := w.js.KeyValue(t.Context(), "other")
		put := func(generation uint64) {
			data, _ := token(generation, time.Hour).Encode()
			if _, err := kv.Put(t.Context(), appid+".access_token", data); err != nil {
				t.Fatal(err)
			}
		}
		put(1)
		nc := w.connect()
		defer nc.Close()
		src := w.open(nc, WithBucket("other"))
		defer src.Close()
		if err := src.Err(); !errors.Is(err, ErrNotRepublished) {
			t.Errorf("Err() = %v", err)
		}
		put(2)
		time.Sleep(checkEveryBlind)
		want(t, src, 2, nil)
	})
}

func TestOtherNames(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		config := jetstream.KeyValueConfig{Bucket: "staging", RePublish: &jetstream.RePublish{Source: "$KV.staging.>", Destination: "st.wx.update.>"}}
		kv, err := w.js.CreateKeyValue(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		nc := w.connect()
		defer nc.Close()
		w.meanwhile(func() {
			time.Sleep(time.Second)
			data, _ := token(1, time.Hour).Encode()
			_, _ = kv.Put(context.Background(), appid+".access_token", data)
		})
		began := time.Now()
		src := w.open(nc, WithBucket("staging"), WithSubjectPrefix("st.wx"))
		defer src.Close()
		want(t, src, 1, nil)
		if took := time.Since(began); took > 1100*time.Millisecond {
			t.Errorf("the update came after %v", took)
		}
	})
}

// idle is a watch whose feed does nothing by itself.
func idle(t *testing.T, nc *nats.Conn) *watch {
	t.Helper()
	o, err := readOptions(appid, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := newFeed(nc, o, aloneBuffer)
	f.stop = func() {}
	src, _ := newSource(f, appid)
	f.add(t.Context(), src.watch)
	return src.watch
}

func TestFullBufferLeadsToACheck(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		nc := w.connect()
		defer nc.Close()
		idle := idle(t, nc)
		defer idle.end()
		f := idle.feed
		f.update(t.Context(), &nats.Msg{})
		if !f.missedAt.IsZero() {
			t.Error("a get, although nothing can have been dropped")
		}
		if err := nc.Flush(); err != nil { // the mints go over another connection, and could overtake the subscription
			t.Fatal(err)
		}
		for range aloneBuffer + 1 {
			w.mint(time.Hour)
		}
		settle()
		f.update(t.Context(), <-f.updates)
		if f.missedAt.IsZero() {
			t.Error("no get, although an update was dropped")
		}
		f.getAll(t.Context(), time.Now())
		if !idle.busy() {
			t.Error("what was dropped is not got")
		}
	})
}

func TestLogsEachAilmentOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.mint(3 * time.Hour)
		nc := w.connect()
		defer nc.Close()
		var log bytes.Buffer
		src := w.open(nc, WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		w.putRaw([]byte(`"84_token-5"`))
		time.Sleep(time.Hour)
		w.mint(time.Hour)
		settle()
		src.Close()
		noTokenIn(t, log.String())
		if ailing := strings.Count(log.String(), "ailing"); ailing != 1 {
			t.Errorf("%d lines about it:\n%s", ailing, &log)
		}
		if !strings.Contains(log.String(), "recovered") || !strings.Contains(log.String(), "appid="+appid) {
			t.Errorf("log:\n%s", &log)
		}
	})
}
