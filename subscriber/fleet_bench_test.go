package subscriber

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/wire"
)

const manyAccounts = 10_000

// BenchmarkOpenFleet opens 10,000 accounts in one fleet, 64 at a time, and tells what each costs.
func BenchmarkOpenFleet(b *testing.B) {
	s := natstest.Start(b)
	nc := s.Connect(NATSOptions()...)
	js := makeBucket(b, nc)
	mintMany(b, js, manyAccounts, 1)
	for b.Loop() {
		own := s.Connect(NATSOptions()...)
		bytes, goroutines := heapNow(), runtime.NumGoroutine()
		fleet, err := OpenFleet(b.Context(), own)
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		sources := openMany(b, fleet, manyAccounts)
		b.ReportMetric(time.Since(began).Seconds(), "s/10k-opens")
		b.ReportMetric(float64(heapNow()-bytes)/manyAccounts, "B/source")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		b.ReportMetric(float64(own.NumSubscriptions()), "subscriptions")

		began = time.Now()
		if err := own.ForceReconnect(); err != nil {
			b.Fatal(err)
		}
		for own.Stats().Reconnects == 0 || fleetStale(fleet) {
			time.Sleep(time.Millisecond)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/10k-gets-after-reconnect")
		began = time.Now()
		mintMany(b, js, manyAccounts, 2)
		b.ReportMetric(time.Since(began).Seconds(), "s/10k-puts")
		for _, src := range sources {
			awaitNewer(b, src, 1)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/10k-puts-seen")
		runtime.KeepAlive(sources)
		fleet.Close()
		own.Close()
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkOpenAlone tells what each of 1,000 sources costs that share a connection and nothing else.
func BenchmarkOpenAlone(b *testing.B) {
	const accounts = 1000
	s := natstest.Start(b)
	nc := s.Connect(NATSOptions()...)
	mintMany(b, makeBucket(b, nc), accounts, 1)
	for b.Loop() {
		bytes, goroutines := heapNow(), runtime.NumGoroutine()
		sources := make([]*Source, accounts)
		for i := range sources {
			src, err := Open(b.Context(), nc, appidOf(i))
			if err != nil {
				b.Fatal(err)
			}
			sources[i] = src
		}
		b.ReportMetric(float64(heapNow()-bytes)/accounts, "B/source+server")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/accounts, "goroutines/source")
		for _, src := range sources {
			src.Close()
		}
	}
	b.ReportMetric(0, "ns/op")
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
