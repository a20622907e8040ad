package subscriber

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// stockConsumers is how many consumers a stock server allows per stream, and so how many kv.Watches.
const stockConsumers = 1000

// receiver waits for generations at one client's.
type receiver interface {
	// await returns when that generation was seen.
	await(generation uint64) time.Time
	close()
}

// BenchmarkFanOut measures, for clients that each have a connection of their own, the time from a publish until the last
// of them has the value: sources, beside a bare subscription and a kv.Watch in the same run.
func BenchmarkFanOut(b *testing.B) {
	kinds := []struct {
		name  string
		clone func(b *testing.B, nc *nats.Conn) receiver
		limit int
	}{
		{"bare", newBareReceiver, 1 << 20},
		{"source", newSourceReceiver, 1 << 20},
		{"kv.Watch", newWatchReceiver, stockConsumers},
	}
	for _, clients := range []int{1000, 5000} {
		for _, kind := range kinds {
			b.Run(fmt.Sprintf("%s/%d", kind.name, clients), func(b *testing.B) {
				if clients > kind.limit {
					b.Skipf("a stock server allows %d consumers per stream", kind.limit)
				}
				fanOut(b, clients, kind.clone)
			})
		}
	}
}

func fanOut(b *testing.B, clients int, clone func(*testing.B, *nats.Conn) receiver) {
	s := natstest.Start(b)
	publisher := s.Connect(NATSOptions()...)
	js := makeBucket(b, publisher)
	put(b, publisher, js, 1)
	var receivers []receiver
	before := heapNow()
	for range clients {
		r := clone(b, s.Connect(NATSOptions()...))
		defer r.close()
		r.await(1)
		receivers = append(receivers, r)
	}
	b.ReportMetric(float64(heapNow()-before)/float64(clients)/1024, "KiB/client+server")
	const rounds = 100
	var last []time.Duration
	for round := range rounds {
		generation := uint64(2 + round)
		seen := make(chan time.Time, clients)
		for _, r := range receivers {
			go func() { seen <- r.await(generation) }()
		}
		runtime.Gosched()
		began := time.Now()
		put(b, publisher, js, generation)
		var latest time.Time
		for range clients {
			if at := <-seen; at.After(latest) {
				latest = at
			}
		}
		last = append(last, latest.Sub(began))
	}
	slices.Sort(last)
	b.ReportMetric(float64(last[rounds/2].Microseconds())/1000, "ms-to-last-p50")
	b.ReportMetric(float64(last[rounds*99/100].Microseconds())/1000, "ms-to-last-p99")
	b.ReportMetric(0, "ns/op")
}

func put(b *testing.B, nc *nats.Conn, js jetstream.JetStream, generation uint64) {
	b.Helper()
	data, err := token(generation, time.Hour).Encode()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := js.Publish(b.Context(), "$KV.wx_token."+wire.Key(appid, wire.KindAccessToken), data); err != nil {
		b.Fatal(err)
	}
}

// sourceReceiver is a source.
type sourceReceiver struct{ src *Source }

func newSourceReceiver(b *testing.B, nc *nats.Conn) receiver {
	src, err := Open(b.Context(), nc, appid)
	if err != nil {
		b.Fatal(err)
	}
	return sourceReceiver{src}
}

func (r sourceReceiver) await(generation uint64) time.Time {
	for tok := range r.src.Updates(context.Background()) {
		if tok.Generation >= generation {
			break
		}
	}
	return time.Now()
}

func (r sourceReceiver) close() { r.src.Close() }

// countReceiver counts messages: one comes for each generation.
type countReceiver struct {
	stop func()

	mu   sync.Mutex
	come *sync.Cond
	seen uint64
	at   time.Time
}

func newCountReceiver() *countReceiver {
	r := &countReceiver{}
	r.come = sync.NewCond(&r.mu)
	return r
}

func (r *countReceiver) add() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen, r.at = r.seen+1, time.Now()
	r.come.Broadcast()
}

func (r *countReceiver) await(generation uint64) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.seen < generation {
		r.come.Wait()
	}
	return r.at
}

func (r *countReceiver) close() { r.stop() }

// newBareReceiver is a subscription to the update subject, which reads nothing of what comes.
func newBareReceiver(b *testing.B, nc *nats.Conn) receiver {
	r := newCountReceiver()
	r.add() // as the first was put before
	sub, err := nc.Subscribe("wx.token.update."+wire.Key(appid, wire.KindAccessToken), func(*nats.Msg) { r.add() })
	if err != nil {
		b.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		b.Fatal(err)
	}
	r.stop = func() { _ = sub.Unsubscribe() }
	return r
}

func newWatchReceiver(b *testing.B, nc *nats.Conn) receiver {
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	kv, err := js.KeyValue(b.Context(), "wx_token")
	if err != nil {
		b.Fatal(err)
	}
	watcher, err := kv.Watch(b.Context(), wire.Key(appid, wire.KindAccessToken))
	if err != nil {
		b.Fatal(err)
	}
	r := newCountReceiver()
	r.stop = func() { _ = watcher.Stop() }
	go func() {
		for entry := range watcher.Updates() {
			if entry != nil { // nil: all there was has come
				r.add()
			}
		}
	}()
	return r
}

// BenchmarkBesideRedis measures a token from memory beside a GET of the same bytes from a Redis on loopback.
func BenchmarkBesideRedis(b *testing.B) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		b.Skip("redis-server is not in PATH")
	}
	addr := startRedis(b, path)
	var turns atomic.Uint64
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer func() { _ = conn.Close() }() // the benchmark is over
		replies := bufio.NewReader(conn)
		for pb.Next() {
			if _, err := redisCall(conn, replies, "GET", "token"); err != nil {
				b.Error(err)
				return
			}
			turns.Add(1)
		}
	})
	b.ReportMetric(float64(turns.Load())/b.Elapsed().Seconds(), "gets/s")
}

// startRedis runs a server with a token in it until the benchmark ends.
func startRedis(b *testing.B, path string) (addr string) {
	b.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr = free.Addr().String()
	_ = free.Close() // Redis takes its place
	_, port, _ := net.SplitHostPort(addr)
	server := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", b.TempDir())
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = server.Process.Kill() // and then it has ended
		_ = server.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		_, err = redisCall(conn, bufio.NewReader(conn), "SET", "token", strings.Repeat("x", 157))
		_ = conn.Close() // it was only for that
		if err == nil {
			return addr
		}
	}
	b.Fatal("redis-server does not get ready")
	return ""
}

// redisCall sends a command and reads a reply that is a line or a string.
func redisCall(conn net.Conn, replies *bufio.Reader, words ...string) (string, error) {
	var command strings.Builder
	fmt.Fprintf(&command, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&command, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := conn.Write([]byte(command.String())); err != nil {
		return "", err
	}
	line, err := replies.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "$") {
		return line, err
	}
	return replies.ReadString('\n')
}
