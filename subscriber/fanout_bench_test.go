package subscriber

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// stockConsumers is how many consumers a stock server allows per stream, and so how many kv.Watches.
const stockConsumers = 1000

// follower makes nc's client follow the key. A goroutine of the client's own that waits for tokens says in seen when it has
// got one: the first, or that it is ready for the next, and then each.
type follower func(b *testing.B, nc *nats.Conn, seen chan<- time.Time)

// BenchmarkFanOut measures, for clients that each have a connection of their own, the time from a publish until the last
// of them has the value: sources, beside a bare subscription and a kv.Watch.
func BenchmarkFanOut(b *testing.B) {
	for _, clients := range []int{1000, 5000} {
		for _, by := range []struct {
			name   string
			follow follower
			limit  int
		}{{"ours", followSource, 1 << 20}, {"core", followCore, 1 << 20}, {"kv.Watch", followWatch, stockConsumers}} {
			b.Run(fmt.Sprintf("clients=%d/by=%s", clients, by.name), func(b *testing.B) {
				if clients > by.limit {
					b.Skipf("a stock server allows %d consumers per stream", by.limit)
				}
				if testing.Short() && clients > 1000 {
					b.Skip("takes too long for -short")
				}
				fanOut(b, clients, by.follow)
			})
		}
	}
}

func fanOut(b *testing.B, clients int, follow follower) {
	s := natstest.Start(b)
	publisher := s.Connect(NATSOptions()...)
	js := makeBucket(b, publisher)
	put(b, js, 1)
	seen := make(chan time.Time, clients)
	before := heapNow()
	for range clients {
		follow(b, s.Connect(NATSOptions()...), seen)
	}
	latest(seen, clients)
	kib := float64(heapNow()-before) / float64(clients) / 1024
	var last []time.Duration
	used := cpu(b)
	for b.Loop() {
		began := time.Now()
		put(b, js, uint64(2+len(last)))
		last = append(last, latest(seen, clients).Sub(began))
	}
	used = cpu(b) - used
	slices.Sort(last)
	b.ReportMetric(float64(used.Nanoseconds())/1000/float64(clients*len(last)), "cpu-µs/message")
	b.ReportMetric(kib, "KiB/conn")
	b.ReportMetric(milliseconds(last[len(last)/2]), "p50-ms")
	b.ReportMetric(milliseconds(last[(len(last)*99+99)/100-1]), "p99-ms")
}

// cpu is the time that all of this process has used, the server and the clients. Unlike latencies it hardly depends on what
// else the machine does.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// latest is when the last of n clients saw what all of them see.
func latest(seen <-chan time.Time, n int) (at time.Time) {
	for range n {
		if one := <-seen; one.After(at) {
			at = one
		}
	}
	return at
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func put(b *testing.B, js jetstream.JetStream, generation uint64) {
	b.Helper()
	if _, err := js.Publish(b.Context(), "$KV.wx_token."+wire.Key(appid, wire.KindAccessToken), storedValue(b, generation)); err != nil {
		b.Fatal(err)
	}
}

// storedValue is a value as publishers store it, with a token as long as WeChat's.
func storedValue(b *testing.B, generation uint64) []byte {
	b.Helper()
	v := token(generation, time.Hour)
	v.Token = secret.New(strings.Repeat("84_token", 17))
	v.Publisher, v.Endpoint, v.PreviousID, v.Fence = "host-a/4711", "stable_token", wire.TokenID("before"), 812
	data, err := v.Encode()
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func followSource(b *testing.B, nc *nats.Conn, seen chan<- time.Time) {
	src, err := Open(b.Context(), nc, appid)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(src.Close)
	go func() {
		for range src.Updates(b.Context()) {
			seen <- time.Now()
		}
	}()
}

// followCore is a subscription to the update subject which reads nothing of what comes.
func followCore(b *testing.B, nc *nats.Conn, seen chan<- time.Time) {
	came := make(chan struct{}, 1)
	came <- struct{}{} // it is ready
	if _, err := nc.Subscribe(updateSubject(), func(*nats.Msg) { came <- struct{}{} }); err != nil {
		b.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	go func() {
		for {
			select {
			case <-came:
				seen <- time.Now()
			case <-ctx.Done():
				return
			}
		}
	}()
}

func updateSubject() string { return "wx.token.update." + wire.Key(appid, wire.KindAccessToken) }

func followWatch(b *testing.B, nc *nats.Conn, seen chan<- time.Time) {
	watcher, err := keyValue(b, nc).Watch(b.Context(), wire.Key(appid, wire.KindAccessToken))
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for entry := range watcher.Updates() { // until the benchmark ends
			if entry != nil { // nil: all there was has come
				seen <- time.Now()
			}
		}
	}()
}

func keyValue(b *testing.B, nc *nats.Conn) jetstream.KeyValue {
	b.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	kv, err := js.KeyValue(b.Context(), "wx_token")
	if err != nil {
		b.Fatal(err)
	}
	return kv
}
