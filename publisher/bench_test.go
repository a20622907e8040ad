package publisher_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/publisher"
)

// fleet is publishers over real sockets, in real time, with many accounts at a simulated WeChat without a socket.
type fleet struct {
	b        *testing.B
	nats     *natstest.Server
	sim      *wxsim.Server
	accounts []string
}

func newFleet(b *testing.B, publishers, accounts int, endpoint wechat.Endpoint, life time.Duration) *fleet {
	b.Helper()
	f := &fleet{b: b, nats: natstest.Start(b)}
	var known []wxsim.Account
	for i := range accounts {
		f.accounts = append(f.accounts, fmt.Sprintf("wx%016d", i))
		known = append(known, wxsim.Account{AppID: f.accounts[i], Secret: appSecret})
	}
	sim, err := wxsim.New(wxsim.Options{Accounts: known, ExpiresIn: life})
	if err != nil {
		b.Fatal(err)
	}
	f.sim = sim
	for i := range publishers {
		f.start(fmt.Sprintf("host/%d", i), endpoint)
	}
	return f
}

func (f *fleet) start(name string, endpoint wechat.Endpoint) {
	f.b.Helper()
	nc, err := bus.Connect(bus.Login{URL: f.nats.URL()}, name, nil)
	if err != nil {
		f.b.Fatal(err)
	}
	client, err := wechat.NewClient(wechat.Config{Bases: []string{"https://api.weixin.qq.com"}, Timeout: 5 * time.Second, Transport: f.sim.Transport()})
	if err != nil {
		f.b.Fatal(err)
	}
	cfg := publisher.Config{
		Conn: nc, Names: names, RefreshAhead: 5 * time.Minute, MinRefreshInterval: 30 * time.Second, VerifyReports: true,
		HTTPTimeout: 5 * time.Second, LeaseTTL: 15 * time.Second, Publisher: name, Version: "0.0.0",
	}
	for _, appid := range f.accounts {
		cfg.Accounts = append(cfg.Accounts, publisher.Account{AppID: appid, Endpoint: endpoint, Minter: client.Account(appid, secret.New(appSecret), endpoint)})
	}
	p, err := publisher.New(cfg)
	if err != nil {
		f.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	f.b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			f.b.Errorf("Run: %v", err)
		}
		nc.Close()
	})
}

// awaitStored waits until that many tokens were stored, up to five for each account.
func (f *fleet) awaitStored(n uint64) {
	f.b.Helper()
	js, err := jetstream.New(f.nats.Connect())
	if err != nil {
		f.b.Fatal(err)
	}
	for {
		stream, err := js.Stream(f.b.Context(), names.Stream())
		if err == nil && stream.CachedInfo().State.Msgs >= n {
			return
		}
		busy := errors.Is(err, context.DeadlineExceeded) // with storing what is waited for
		if err != nil && !busy && !errors.Is(err, jetstream.ErrStreamNotFound) {
			f.b.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (f *fleet) connections(n int) (conns []*nats.Conn) {
	f.b.Helper()
	for range n {
		conns = append(conns, f.nats.Connect())
	}
	return conns
}

// storm sends n requests at once, spread over the connections, and returns how long each took.
func storm(b *testing.B, conns []*nats.Conn, n int, subject string, payload []byte) []time.Duration {
	b.Helper()
	times := make([]time.Duration, n)
	var wait sync.WaitGroup
	started := time.Now()
	for i := range n {
		wait.Go(func() {
			msg, err := conns[i%len(conns)].Request(subject, payload, 30*time.Second)
			if err != nil || msg.Header.Get("Nats-Service-Error-Code") != "" {
				b.Errorf("request %d: %v %v", i, err, msg)
			}
			times[i] = time.Since(started)
		})
	}
	wait.Wait()
	slices.Sort(times)
	return times
}

func percentile(sorted []time.Duration, p float64) float64 {
	return float64(sorted[int(p*float64(len(sorted)-1))].Microseconds()) / 1000
}

const reports = 10_000

// BenchmarkReports: 10,000 services report one dead token at once, over 50 connections to 3 publishers. Beside it,
// 10,000 requests to an echo service on as many connections. One check needs two refusals 250 ms apart.
func BenchmarkReports(b *testing.B) {
	f := newFleet(b, 3, 20, wechat.PlainToken, 2*time.Hour)
	f.awaitStored(uint64(len(f.accounts)))
	f.startEchoes(3)
	conns := f.connections(50)
	b.Run("by=ours", func(b *testing.B) { f.reportAll(b, conns) })
	b.Run("by=echo", func(b *testing.B) {
		var p50, p99 float64
		for b.Loop() {
			times := storm(b, conns, reports, "echo", []byte(`{"id":"0123456789abcdef","errcode":40001}`))
			p50, p99 = p50+percentile(times, .5), p99+percentile(times, .99)
		}
		b.ReportMetric(p50/float64(b.N), "p50-ms")
		b.ReportMetric(p99/float64(b.N), "p99-ms")
	})
}

func (f *fleet) startEchoes(n int) {
	f.b.Helper()
	for _, nc := range f.connections(n) {
		if _, err := nc.QueueSubscribe("echo", "q", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
			f.b.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			f.b.Fatal(err)
		}
	}
}

// reportAll kills a token for each iteration, of each account in turn: their budgets are ten mints by request in a row.
func (f *fleet) reportAll(b *testing.B, conns []*nats.Conn) {
	var p50, p99, mints, checks float64
	for b.Loop() {
		appid := f.accounts[0]
		f.accounts = append(f.accounts[1:], appid)
		info, err := f.sim.Token(appid, wxsim.ChannelToken)
		if err != nil {
			b.Fatal(err)
		}
		before, _ := f.sim.Stats(appid)
		if err := f.sim.Revoke(appid, wxsim.ChannelToken, false); err != nil {
			b.Fatal(err)
		}
		times := storm(b, conns, reports, names.AccountRefreshSubject(appid), []byte(`{"id":"`+info.ID+`","errcode":40001}`))
		after, _ := f.sim.Stats(appid)
		p50, p99 = p50+percentile(times, .5), p99+percentile(times, .99)
		mints += float64(after.Mints.Total() - before.Mints.Total())
		checks += float64(after.Checks - before.Checks)
	}
	b.ReportMetric(p50/float64(b.N), "p50-ms")
	b.ReportMetric(p99/float64(b.N), "p99-ms")
	b.ReportMetric(mints/float64(b.N), "mints")
	b.ReportMetric(checks/float64(b.N), "checks")
}

// BenchmarkAccounts: how long one publisher takes until all its accounts have their first token, what an account costs in
// memory, and how late rotations are. Tokens rotate at half of their life, plus a jitter of 1/150 to 1/50 of that; the more
// accounts, the longer they live here, as their rotations come as fast as their first tokens did. Beside it, as many bare
// puts of a value to a bucket.
func BenchmarkAccounts(b *testing.B) {
	for _, fleet := range []struct {
		accounts int
		life     time.Duration
	}{{1_000, 40 * time.Second}, {10_000, 40 * time.Second}, {100_000, 4 * time.Minute}} {
		for _, by := range []struct {
			name    string
			measure func(*testing.B, int, time.Duration)
		}{{"ours", measureAccounts}, {"kv.Put", measurePuts}} {
			b.Run(fmt.Sprintf("accounts=%d/by=%s", fleet.accounts, by.name), func(b *testing.B) {
				if testing.Short() && fleet.accounts > 1_000 {
					b.Skip("takes too long for -short")
				}
				for b.Loop() {
					by.measure(b, fleet.accounts, fleet.life)
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func measureAccounts(b *testing.B, n int, life time.Duration) {
	b.Helper()
	before := heap()
	started := time.Now()
	f := newFleet(b, 1, n, wechat.PlainToken, life)
	f.awaitStored(uint64(n))
	b.ReportMetric(time.Since(started).Seconds(), "stored-s")
	b.ReportMetric(float64(heap()-before)/float64(n)/1024, "KiB/account")
	f.awaitStored(uint64(2 * n))
	late := f.lateness(life)
	b.ReportMetric(percentile(late, .5), "late-p50-ms")
	b.ReportMetric(percentile(late, .99), "late-p99-ms")
}

// lateness is how long after half of a token's life the next one was minted.
func (f *fleet) lateness(life time.Duration) (late []time.Duration) {
	ends := make(map[string]time.Time, len(f.accounts))
	for _, m := range f.sim.Ledger(wxsim.All) {
		if end, again := ends[m.AppID]; again {
			late = append(late, m.At.Sub(end.Add(-life/2)))
		}
		ends[m.AppID] = m.ExpiresAt
	}
	slices.Sort(late)
	return late
}

// measurePuts stores n values over one connection, each acknowledged, 64 at a time.
func measurePuts(b *testing.B, n int, _ time.Duration) {
	b.Helper()
	js, err := jetstream.New(natstest.Start(b).Connect())
	if err != nil {
		b.Fatal(err)
	}
	kv, err := js.CreateKeyValue(b.Context(), jetstream.KeyValueConfig{Bucket: names.Bucket, History: 5})
	if err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 512)
	started := time.Now()
	var putters sync.WaitGroup
	for first := range 64 {
		putters.Go(func() {
			for i := first; i < n; i += 64 {
				if _, err := kv.Put(b.Context(), fmt.Sprintf("wx%016d.access_token", i), value); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	putters.Wait()
	b.ReportMetric(time.Since(started).Seconds(), "stored-s")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
