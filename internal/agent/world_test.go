package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/httpd"
	"github.com/wxtoken/wxtoken/internal/logtest"
	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/publisher"
	"github.com/wxtoken/wxtoken/subscriber"
)

const (
	first, second = "wxfedcba9876543210", "wx0123456789abcdef"
	appSecret     = "0123456789abcdef0123456789abcdef"
	patience      = 30 * time.Second // a bound that no good run comes near
)

// world is NATS, a simulated WeChat behind a socket, a publisher and an agent.
type world struct {
	t    testing.TB
	nats *natstest.Server
	sim  *wxsim.Server
	wx   *httptest.Server
	log  *logtest.Output

	natsURL       string
	stopPublisher func()
	cfg           Config
	agent         *Agent
	url           string // of the agent
	stopAgent     func() error
}

// newWorld starts all of it; change may alter the agent's configuration.
func newWorld(t testing.TB, change func(*Config), appids ...string) *world {
	t.Helper()
	w := newWorldWithoutAgent(t, appids...)
	w.startAgent(change)
	w.awaitReady()
	return w
}

func newWorldWithoutAgent(t testing.TB, appids ...string) *world {
	t.Helper()
	w := &world{t: t, nats: natstest.Start(t), log: &logtest.Output{}}
	w.natsURL = w.nats.URL()
	var accounts []wxsim.Account
	for _, appid := range appids {
		accounts = append(accounts, wxsim.Account{AppID: appid, Secret: appSecret})
	}
	var err error
	if w.sim, err = wxsim.New(wxsim.Options{Accounts: accounts, ExpiresIn: 10 * time.Minute, Knobs: wxsim.Knobs{TokenPerDay: -1}}); err != nil {
		t.Fatal(err)
	}
	w.wx = httptest.NewServer(w.sim)
	t.Cleanup(w.wx.Close)
	t.Cleanup(w.sim.Close)
	t.Cleanup(func() {
		for _, private := range w.secrets() {
			if w.log.Has(private) {
				t.Error("a secret or a token was logged")
			}
		}
		if t.Failed() {
			t.Logf("log:\n%s", w.log.Tail())
		}
	})
	w.startPublisher(appids...)
	return w
}

// secrets are those that nothing may show.
func (w *world) secrets() []string {
	private := []string{appSecret}
	if w.agent == nil {
		return private
	}
	for _, a := range w.agent.accounts.all() {
		private = append(private, a.tokens()...)
	}
	return private
}

// startPublisher starts one that mints at the endpoint where each mint is another token.
func (w *world) startPublisher(appids ...string) {
	w.t.Helper()
	nc, err := bus.Connect(bus.Login{URL: w.natsURL}, "publisher", nil)
	must(w.t, err)
	client, err := wechat.NewClient(wechat.Config{Bases: []string{w.wx.URL}, Timeout: time.Second})
	must(w.t, err)
	var accounts []publisher.Account
	for _, appid := range appids {
		accounts = append(accounts, publisher.Account{AppID: appid, Endpoint: wechat.PlainToken,
			Minter: client.Account(appid, secret.New(appSecret), wechat.PlainToken)})
	}
	p, err := publisher.New(publisher.Config{
		Conn: nc, Accounts: accounts, Names: wire.DefaultNames(), RefreshAhead: 5 * time.Second, VerifyReports: true,
		HTTPTimeout: time.Second, LeaseTTL: 2 * time.Second, Publisher: "test/1", Version: "0.0.1",
	})
	must(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	w.stopPublisher = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("publisher: %v", err)
		}
		nc.Close()
	})
	w.t.Cleanup(w.stopPublisher)
}

func (w *world) startAgent(change func(*Config)) {
	w.t.Helper()
	nc, err := nats.Connect(w.natsURL, subscriber.NATSOptions()...)
	must(w.t, err)
	w.cfg = Config{
		Conn: nc, Names: wire.DefaultNames(), Bases: []string{w.wx.URL}, Metrics: prometheus.NewRegistry(),
		Logger: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&w.cfg)
	}
	w.agent, err = New(w.cfg)
	must(w.t, err)
	l, err := httpd.Listen("127.0.0.1:0")
	must(w.t, err)
	w.url = httpd.URL(l)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.agent.Run(ctx, l) }()
	w.stopAgent = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		nc.Close()
		return err
	})
	w.t.Cleanup(func() { must(w.t, w.stopAgent()) })
}

func (w *world) awaitReady() {
	w.t.Helper()
	await(w.t, "the agent", func() bool { ok, _ := w.agent.ready(); return ok })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await polls for what has no signal of its own.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	gone, poll := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer poll.Stop()
	for !ok() {
		select {
		case <-gone:
			t.Fatalf("waited in vain for %s", what)
		case <-poll.C:
		}
	}
}

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// call sends a request to the agent. Headers are name, value, name, value, …
func (w *world) call(method, path, body string, headers ...string) answer {
	w.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, reader)
	must(w.t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return w.send(req)
}

var direct = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 128},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (w *world) send(req *http.Request) answer {
	w.t.Helper()
	resp, err := direct.Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return answer{resp.StatusCode, resp.Header, string(data)}
}

func (w *world) token(appid string) string {
	w.t.Helper()
	token, err := w.agent.accounts.get(appid).opened.Load().src.Token()
	must(w.t, err)
	return token.AccessToken()
}

const fineAnswer = `{"errcode":0,"errmsg":"ok"}`

func (w *world) wantFine(a answer) {
	w.t.Helper()
	if a.status != 200 || a.body != fineAnswer {
		w.t.Errorf("got %v", a)
	}
}
