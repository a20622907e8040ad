package agent

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/subscriber"
)

// crowd are clients that call without a pause.
type crowd struct {
	w     *world
	calls atomic.Int64
	stop  chan struct{}
	wait  sync.WaitGroup
}

func (w *world) crowd(clients int) *crowd {
	c := &crowd{w: w, stop: make(chan struct{})}
	for i := range clients {
		c.wait.Go(func() { c.client(i) })
	}
	return c
}

func (c *crowd) client(i int) {
	for {
		select {
		case <-c.stop:
			return
		default:
		}
		body := ""
		if i%2 == 0 {
			body = strings.Repeat("x", i*100)
		}
		req, err := http.NewRequest("POST", c.w.url+"/cgi-bin/message/custom/send", strings.NewReader(body))
		if err != nil {
			c.w.t.Error(err)
			return
		}
		resp, err := direct.Do(req)
		if err != nil {
			c.w.t.Errorf("client %d: %v", i, err)
			return
		}
		data, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(data) != fineAnswer {
			c.w.t.Errorf("client %d: %d %s %v", i, resp.StatusCode, data, err)
			return
		}
		c.calls.Add(1)
	}
}

// more waits for n more calls.
func (c *crowd) more(n int64) {
	c.w.t.Helper()
	want := c.calls.Load() + n
	await(c.w.t, "calls", func() bool { return c.calls.Load() >= want || c.w.t.Failed() })
}

func (c *crowd) end() {
	close(c.stop)
	c.wait.Wait()
}

// 50 clients call while all sorts of things happen to the token. No call fails.
func TestNobodyNoticesWhatHappensToTheToken(t *testing.T) {
	w := newWorld(t, nil, first)
	nc := w.nats.Connect()
	c := w.crowd(50)
	defer c.end()
	for range 3 {
		c.more(500)
		must(t, w.sim.Revoke(first, wxsim.ChannelToken, false))
		c.more(500)
		for range 2 { // the second kills the token from before the first
			_, err := w.sim.ForeignMint(first, wxsim.ChannelToken, false)
			must(t, err)
		}
		c.more(500)
		_, err := nc.Request(wire.DefaultNames().AccountRefreshSubject(first), nil, patience)
		must(t, err)
		c.more(500)
		w.stopPublisher()
		c.more(500)
		w.startPublisher(first)
		c.more(500)
	}
	must(t, w.sim.Revoke(first, wxsim.ChannelToken, false))
	c.more(500)
	t.Logf("%d calls", c.calls.Load())
}

func TestNATSAwayAtTheStartAndInBetween(t *testing.T) {
	w := newWorldWithoutAgent(t, first)
	w.nats.Stop()
	w.startAgent(func(c *Config) { c.AppIDs = []string{first} })
	if got := w.call("GET", "/cgi-bin/user/get", ""); got.status != 503 || !strings.Contains(got.body, `"errcode":-1`) {
		t.Errorf("without a token: %v", got)
	}
	if got := w.plain(first, "s"); got.status != 200 || !strings.HasPrefix(got.body, `{"errcode":-1,`) {
		t.Errorf("mint without a token: %v", got)
	}
	if got := w.call("GET", "/readyz", ""); got.status != 503 || !strings.Contains(got.body, `"nats":"disconnected"`) || !strings.Contains(got.body, first) {
		t.Errorf("readyz: %v", got)
	}
	if got := w.call("GET", "/healthz", ""); got.status != 200 {
		t.Errorf("healthz: %v", got)
	}
	w.nats.Resume()
	w.awaitReady()
	w.wantFine(w.call("GET", "/cgi-bin/user/get", ""))
	w.nats.Stop()
	await(t, "the loss", func() bool { ok, _ := w.agent.ready(); return !ok })
	w.wantFine(w.call("GET", "/cgi-bin/user/get", ""))
	mintedIn(t, w.plain(first, "s"))
	w.nats.Resume()
	w.awaitReady()
	for _, private := range w.secrets() {
		if strings.Contains(w.call("GET", "/metrics", "").body+w.call("GET", "/readyz", "").body, private) {
			t.Error("a token is shown")
		}
	}
}

// With no accounts named, those that appear later are served, too.
func TestAccountsThatAppearLater(t *testing.T) {
	w := newWorld(t, nil, first)
	w.stopPublisher()
	must(t, w.sim.AddAccount(wxsim.Account{AppID: second, Secret: appSecret}))
	if got := w.call("GET", "/cgi-bin/a", "", "X-WX-AppID", second); got.status != 404 {
		t.Errorf("before: %v", got)
	}
	w.startPublisher(first, second)
	await(t, "the second account", func() bool { return liveOf(w.agent.accounts.all()) == 2 })
	w.wantFine(w.call("GET", "/cgi-bin/a", "", "X-WX-AppID", second))
}

func TestACancelledClientEndsTheCallToWeChat(t *testing.T) {
	w := newWorld(t, nil, first)
	inside, ended := make(chan bool), make(chan bool)
	w.wx.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inside <- true
		<-r.Context().Done()
		close(ended)
	})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", w.url+"/cgi-bin/a", nil)
	must(t, err)
	failed := make(chan error, 1)
	go func() { _, err := direct.Do(req); failed <- err }()
	<-inside
	cancel()
	<-ended
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	await(t, "the count", func() bool {
		return strings.Contains(w.call("GET", "/metrics", "").body, `calls_total{kind="proxy",outcome="client_gone"} 1`)
	})
}

func TestFaultsOfWeChat(t *testing.T) {
	w := newWorld(t, nil, first)
	for _, c := range []struct {
		fault  wxsim.Fault
		status int
		text   string
	}{
		{wxsim.Fault{Kind: wxsim.Drop, Count: 1}, 502, `"errcode":-1`},
		{wxsim.Fault{Kind: wxsim.BadGateway, Count: 1}, 502, "<html>"},
		{wxsim.Fault{Kind: wxsim.Busy, Count: 1}, 200, `"errcode":-1`},
		{wxsim.Fault{Kind: wxsim.Portal, Count: 1}, 200, "sign in"},
		{wxsim.Fault{Kind: wxsim.Garbage, Count: 1}, 200, "84_garbage"},
		{wxsim.Fault{Kind: wxsim.Flap, Count: 1}, 200, `"errcode":0`},
	} {
		c.fault.Path = "/cgi-bin/message/"
		_, err := w.sim.AddFault(c.fault)
		must(t, err)
		if got := w.call("POST", "/cgi-bin/message/custom/send", "{}"); got.status != c.status || !strings.Contains(got.body, c.text) {
			t.Errorf("%s: %v", c.fault.Kind, got)
		}
	}
}

// Statuses that no server may send would end the agent's own reply in a panic.
func TestOddStatuses(t *testing.T) {
	w := newWorldWithoutAgent(t, first)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	statuses := []string{"010 OK", "000 OK", "101 Switching Protocols"}
	go func() {
		for _, status := range statuses {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn)) // whatever it is
			_, _ = io.WriteString(conn, "HTTP/1.1 "+status+"\r\n\r\n{}")
			conn.Close()
		}
	}()
	w.startAgent(func(c *Config) { c.Bases = []string{"http://" + l.Addr().String()} })
	w.awaitReady()
	for _, status := range statuses {
		if got := w.call("POST", "/cgi-bin/menu/create", "{}"); got.status != 502 || !strings.Contains(got.body, "status is "+status[:3]) {
			t.Errorf("%s: %v", status, got)
		}
	}
}

// The next host is tried when no connection can be made, and only then; a body goes with it.
func TestTheNextHostOnlyWhenNothingWasSent(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	w := newWorldWithoutAgent(t, first)
	w.startAgent(func(c *Config) { c.Bases = []string{gone.URL, w.wx.URL} })
	w.awaitReady()
	w.wantFine(w.call("POST", "/cgi-bin/message/custom/send", strings.Repeat("x", 100)))
	got := w.call("POST", "/cgi-bin/media/upload?type=image", mediaText(t, "up", 200<<10))
	if !strings.Contains(got.body, wxsim.MediaSHA256("up", 200<<10)) {
		t.Errorf("upload: %v", got)
	}
	must(t, w.stopAgent())

	cut, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer cut.Close()
	go func() {
		for {
			conn, err := cut.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	w.startAgent(func(c *Config) { c.Bases = []string{"http://" + cut.Addr().String(), w.wx.URL} })
	w.awaitReady()
	if got := w.call("POST", "/cgi-bin/message/custom/send", "{}"); got.status != 502 {
		t.Errorf("after a connection that was cut: %v", got)
	}
}

// WeChat closes an idle connection at the moment when it is used again. Where nothing is done twice, nobody notices.
func TestIdleConnectionsThatWeChatCloses(t *testing.T) {
	w := newWorld(t, nil, first)
	for range 20 {
		w.wantFine(w.call("GET", "/cgi-bin/user/get", ""))
		w.wx.CloseClientConnections()
		w.wantFine(w.call("GET", "/cgi-bin/user/get", ""))
	}
}

func TestAnAccountWithoutRightsIsNotFound(t *testing.T) {
	a := &account{appid: first, found: true}
	a.ails(&subscriber.RightsError{Op: "subscribe", Subject: "wx.token.update." + first + ".>"})
	if f := tokenless(a.problem()); f.status != 404 || !strings.Contains(f.text, "no right to subscribe") {
		t.Errorf("got %+v", f)
	}
	as := accounts{byAppID: map[string]*account{first: a}, byToken: map[string]*account{}}
	if _, count := as.only(); count != 0 || len(as.all()) != 0 {
		t.Error("an account that was found and may not be read counts")
	}
	other, _ := as.add(second, true)
	if only, _ := as.only(); only != other {
		t.Error("the one that may be read is not the only one")
	}
}

func TestNewTellsAllMistakes(t *testing.T) {
	_, err := New(Config{AppIDs: []string{"a b"}, Bases: []string{"x", "https://u:hunter2@h"}})
	for _, text := range []string{"URL 1", "URL 2", "no connection", "registry", `"a b"`} {
		if err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("doesn't say %s: %v", text, err)
		}
	}
	if _, err := New(Config{Conn: &nats.Conn{}, Bases: []string{"https://h"}, Metrics: prometheus.NewRegistry()}); err != nil {
		t.Error(err)
	}
}
