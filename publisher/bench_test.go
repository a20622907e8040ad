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
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
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

// BenchmarkReports: 10,000 services report one dead token at once, over 50 connections to 3 publishers. Beside it,
// 10,000 requests to an echo service on as many connections. One check needs two refusals 250 ms apart.
func BenchmarkReports(b *testing.B) {
	const reports, connections = 10_000, 50
	f := newFleet(b, 3, 20, wechat.PlainToken, 2*time.Hour)
	f.awaitStored(uint64(len(f.accounts)))
	conns := f.connections(connections)
	for _, echo := range f.connections(3) {
		if _, err := echo.QueueSubscribe("echo", "q", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
			b.Fatal(err)
		}
		if err := echo.Flush(); err != nil {
			b.Fatal(err)
		}
	}
	next := 0 // each account in turn: their budgets are ten mints by request in a row
	b.Run("reports", func(b *testing.B) {
		var p50, p99, mints, checks float64
		for b.Loop() {
			appid := f.accounts[next%len(f.accounts)]
			next++
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
	})
	b.Run("echo", func(b *testing.B) {
		var p50, p99 float64
		for b.Loop() {
			times := storm(b, conns, reports, "echo", []byte(`{"id":"0123456789abcdef","errcode":40001}`))
			p50, p99 = p50+percentile(times, .5), p99+percentile(times, .99)
		}
		b.ReportMetric(p50/float64(b.N), "p50-ms")
		b.ReportMetric(p99/float64(b.N), "p99-ms")
	})
}

// BenchmarkAccounts: how long one publisher takes until all its accounts have their first token, what an account costs in
// memory, and how late rotations are. Tokens rotate at half of their life, plus a jitter of 1/150 to 1/50 of that; the more
// accounts, the longer they live here, as their rotations come as fast as their first tokens did.
func BenchmarkAccounts(b *testing.B) {
	for n, life := range map[int]time.Duration{1_000: 2 * time.Minute, 10_000: 2 * time.Minute, 100_000: 6 * time.Minute} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				measureAccounts(b, n, life)
			}
		})
	}
}

func measureAccounts(b *testing.B, n int, life time.Duration) {
	b.Helper()
	before := heap()
	started := time.Now()
	f := newFleet(b, 1, n, wechat.PlainToken, life)
	f.awaitStored(uint64(n))
	b.ReportMetric(time.Since(started).Seconds(), "s-until-stored")
	b.ReportMetric(float64(heap()-before)/float64(n)/1024, "KiB/account")
	f.awaitStored(uint64(2 * n))
	ends := make(map[string]time.Time, n)
	var late []time.Duration
	for _, m := range f.sim.Ledger(wxsim.All) {
		if end, again := ends[m.AppID]; again {
			late = append(late, m.At.Sub(end.Add(-life/2)))
		}
		ends[m.AppID] = m.ExpiresAt
	}
	slices.Sort(late)
	b.ReportMetric(percentile(late, .5), "p50-late-ms")
	b.ReportMetric(percentile(late, .99), "p99-late-ms")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
