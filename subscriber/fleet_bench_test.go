package subscriber

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/wire"
)

const manyAccounts = 10_000

// BenchmarkOpenFleet opens 10,000 accounts in one fleet, 64 at a time, and tells what each costs. Beside it, one kv.Watch of
// the bucket that fills a map.
func BenchmarkOpenFleet(b *testing.B) {
	for _, by := range []struct {
		name string
		open func(b *testing.B, nc *nats.Conn) accounts
	}{{"ours", fleetOfMany}, {"kv.Watch", watchAll}} {
		b.Run("accounts=10000/by="+by.name, func(b *testing.B) { measureFleet(b, by.open) })
	}
}

// accounts is what a service holds of all accounts.
type accounts interface {
	// awaitAll returns when all have a token of that generation.
	awaitAll(b *testing.B, generation uint64)
	close()
}

func measureFleet(b *testing.B, open func(*testing.B, *nats.Conn) accounts) {
	s := natstest.Start(b)
	js := makeBucket(b, s.Connect(NATSOptions()...))
	var generation uint64
	for b.Loop() {
		generation++
		mintMany(b, js, manyAccounts, generation)
		own := s.Connect(NATSOptions()...)
		bytes, goroutines := heapNow(), runtime.NumGoroutine()
		began := time.Now()
		all := open(b, own)
		b.ReportMetric(time.Since(began).Seconds(), "opened-s")
		b.ReportMetric(float64(heapNow()-bytes)/manyAccounts/1024, "KiB/account")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		if f, ok := all.(ourFleet); ok {
			b.ReportMetric(f.reconnect(b, own).Seconds(), "reconnected-s")
		}
		began = time.Now()
		generation++
		mintMany(b, js, manyAccounts, generation)
		all.awaitAll(b, generation)
		b.ReportMetric(time.Since(began).Seconds(), "rotated-s")
		all.close()
		own.Close()
	}
	b.ReportMetric(0, "ns/op")
}

type ourFleet struct {
	*Fleet
	sources []*Source
}

func fleetOfMany(b *testing.B, nc *nats.Conn) accounts {
	fleet, err := OpenFleet(b.Context(), nc)
	if err != nil {
		b.Fatal(err)
	}
	return ourFleet{fleet, openMany(b, fleet, manyAccounts)}
}

// reconnect cuts the connection, and tells how long it took until all keys were got again.
func (f ourFleet) reconnect(b *testing.B, nc *nats.Conn) time.Duration {
	began := time.Now()
	if err := nc.ForceReconnect(); err != nil {
		b.Fatal(err)
	}
	for nc.Stats().Reconnects == 0 || fleetStale(f.Fleet) {
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

func (f ourFleet) awaitAll(b *testing.B, generation uint64) {
	for _, src := range f.sources {
		awaitNewer(b, src, generation-1)
	}
}

func (f ourFleet) close() { f.Close() }

// watchedMap holds what a kv.Watch of all keys tells.
type watchedMap struct {
	watcher jetstream.KeyWatcher
	values  map[string]wire.Value
}

func watchAll(b *testing.B, nc *nats.Conn) accounts {
	watcher, err := keyValue(b, nc).WatchAll(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	w := &watchedMap{watcher: watcher, values: make(map[string]wire.Value)}
	w.take(b, func(entry jetstream.KeyValueEntry) bool { return entry == nil }) // all there was has come
	return w
}

// take reads updates until one is the last.
func (w *watchedMap) take(b *testing.B, last func(jetstream.KeyValueEntry) bool) {
	for entry := range w.watcher.Updates() {
		if entry != nil {
			v, err := wire.DecodeValue(entry.Value())
			if err != nil {
				b.Fatal(err)
			}
			w.values[entry.Key()] = v
		}
		if last(entry) {
			return
		}
	}
}

func (w *watchedMap) awaitAll(b *testing.B, generation uint64) {
	left := manyAccounts
	w.take(b, func(entry jetstream.KeyValueEntry) bool {
		if entry != nil && w.values[entry.Key()].Generation == generation {
			left--
		}
		return left == 0
	})
}

func (w *watchedMap) close() { _ = w.watcher.Stop() }

// BenchmarkOpenAlone tells what each of 1,000 accounts costs that share a connection and nothing else: as sources, as bare
// subscriptions with a get each, as kv.Watches.
func BenchmarkOpenAlone(b *testing.B) {
	for _, by := range []struct {
		name string
		open func(b *testing.B, nc *nats.Conn, appid string) (end func())
	}{{"ours", aloneSource}, {"core", aloneCore}, {"kv.Watch", aloneWatch}} {
		b.Run("accounts=1000/by="+by.name, func(b *testing.B) { measureAlone(b, by.open) })
	}
}

func measureAlone(b *testing.B, open func(*testing.B, *nats.Conn, string) func()) {
	const n = 1000
	s := natstest.Start(b)
	nc := s.Connect(NATSOptions()...)
	mintMany(b, makeBucket(b, nc), n, 1)
	for b.Loop() {
		bytes, goroutines := heapNow(), runtime.NumGoroutine()
		ends := make([]func(), n)
		for i := range ends {
			ends[i] = open(b, nc, appidOf(i))
		}
		b.ReportMetric(float64(heapNow()-bytes)/n/1024, "KiB/account")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/n, "goroutines/account")
		for _, end := range ends {
			end()
		}
	}
}

func aloneSource(b *testing.B, nc *nats.Conn, appid string) func() {
	src, err := Open(b.Context(), nc, appid)
	if err != nil {
		b.Fatal(err)
	}
	return src.Close
}

func aloneCore(b *testing.B, nc *nats.Conn, appid string) func() {
	var now atomic.Pointer[nats.Msg]
	sub, err := nc.Subscribe("wx.token.update."+wire.Key(appid, wire.KindAccessToken), func(msg *nats.Msg) { now.Store(msg) })
	if err != nil {
		b.Fatal(err)
	}
	first, err := nc.Request("$JS.API.DIRECT.GET.KV_wx_token.$KV.wx_token."+wire.Key(appid, wire.KindAccessToken), nil, 10*time.Second)
	if err != nil {
		b.Fatal(err)
	}
	now.CompareAndSwap(nil, first)
	return func() { _ = sub.Unsubscribe() }
}

func aloneWatch(b *testing.B, nc *nats.Conn, appid string) func() {
	watcher, err := keyValue(b, nc).Watch(b.Context(), wire.Key(appid, wire.KindAccessToken))
	if err != nil {
		b.Fatal(err)
	}
	if first := <-watcher.Updates(); first == nil {
		b.Fatal("no token")
	}
	return func() { _ = watcher.Stop() }
}

// fleetStale tells whether keys are still to get.
func fleetStale(fleet *Fleet) (stale bool) {
	f := fleet.feed
	f.do(func(context.Context) { stale = !f.missedAt.IsZero() || len(f.queue) > 0 || f.flying > 0 || !f.synced })
	return stale
}

func heapNow() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func makeBucket(tb testing.TB, nc *nats.Conn) jetstream.JetStream {
	tb.Helper()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(manyAccounts))
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := js.CreateKeyValue(tb.Context(), bucketConfig()); err != nil {
		tb.Fatal(err)
	}
	return js
}

func appidOf(n int) string { return fmt.Sprintf("wx%016d", n) }

// mintMany stores a token of that generation for each of n accounts.
func mintMany(tb testing.TB, js jetstream.JetStream, n int, generation uint64) {
	tb.Helper()
	for i := range n {
		v := token(generation, 2*time.Hour)
		v.AppID = appidOf(i)
		data, err := v.Encode()
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := js.PublishAsync("$KV.wx_token."+wire.Key(v.AppID, wire.KindAccessToken), data); err != nil {
			tb.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete() // which the server acknowledges after it told of all
}

// openMany opens n accounts, 64 at a time.
func openMany(tb testing.TB, fleet *Fleet, n int) []*Source {
	tb.Helper()
	sources := make([]*Source, n)
	var openers sync.WaitGroup
	for first := range 64 {
		openers.Go(func() {
			for i := first; i < n; i += 64 {
				src, err := fleet.Open(tb.Context(), appidOf(i))
				if err != nil {
					tb.Error(err)
					return
				}
				sources[i] = src
			}
		})
	}
	openers.Wait()
	if tb.Failed() {
		tb.FailNow()
	}
	return sources
}

func awaitNewer(tb testing.TB, src *Source, generation uint64) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	for tok := range src.Updates(ctx) {
		if tok.Generation > generation {
			return
		}
	}
	tb.Fatalf("no newer token: %v", src.Err())
}
