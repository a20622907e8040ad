package browsertest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/publisher"
)

const (
	appid     = "wx0123456789abcdef"
	appSecret = "0123456789abcdef0123456789abcdef"
)

// world is a publisher with a NATS server and a simulated WeChat.
type world struct {
	t    *testing.T
	nats *natstest.Server
	sim  *wxsim.Server
	nc   *nats.Conn // of services and operators
	p    *publisher.Publisher
}

func newWorld(t *testing.T) *world {
	t.Helper()
	sim, err := wxsim.New(wxsim.Options{Accounts: []wxsim.Account{{AppID: appid, Secret: appSecret}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	w := &world{t: t, nats: natstest.Start(t), sim: sim}
	w.nc = w.nats.Connect(nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	w.p = w.start("host-a/1", w.account(appid, sim.Transport()))
	return w
}

func (w *world) account(appid string, transport http.RoundTripper) publisher.Account {
	client, err := wechat.NewClient(wechat.Config{Bases: []string{"https://api.weixin.qq.com"}, Timeout: 5 * time.Second, Transport: transport})
	if err != nil {
		w.t.Fatal(err)
	}
	return publisher.Account{AppID: appid, Endpoint: wechat.StableToken, Minter: client.Account(appid, secret.New(appSecret), wechat.StableToken)}
}

// start runs a publisher until the test ends.
func (w *world) start(name string, accounts ...publisher.Account) *publisher.Publisher {
	nc, err := bus.Connect(bus.Login{URL: w.nats.URL()}, name, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := publisher.New(publisher.Config{
		Conn: nc, Accounts: accounts, Names: wire.DefaultNames(), Publisher: name, Version: "1.2.3", VerifyReports: true,
		RefreshAhead: 5 * time.Minute, HTTPTimeout: 5 * time.Second, LeaseTTL: 15 * time.Second,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
		nc.Close()
	})
	return p
}

// refresh asks for a new token by hand, and returns its id.
func (w *world) refresh() (id string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	msg, err := w.nc.RequestWithContext(ctx, "wx.token.refresh."+appid, nil)
	if err != nil || msg.Header.Get("Nats-Service-Error") != "" {
		w.t.Fatalf("%v %v", err, msg)
	}
	_, rest, _ := strings.Cut(string(msg.Data), `"id":"`)
	return rest[:16]
}

// The page follows what happens by itself: a token, a newer one, a publisher that comes, an account in trouble, NATS going
// and coming back. What the reader has closed stays closed, and the focus where it is. No token is in it at any time.
func TestThePageFollowsByItself(t *testing.T) {
	w := newWorld(t)
	tb := open(t, serve(t, w.p), look{width: 1280})
	tb.shows("All well", "#banner", "The account has a live token")
	eval[chromedp.Void](tb, `(() => {
		document.querySelector("#rows details").open = false;
		document.querySelector("#rows summary").focus();
		window.sameRow = document.querySelector("#rows li");
	})()`)
	tb.shows("the first mint", "#rows .history", "first token")

	id := w.refresh()
	tb.shows("the new token", "#rows .token", id)
	tb.shows("its mint", "#rows .history", "asked for by hand")
	if !eval[bool](tb, `!document.querySelector("#rows details").open && document.activeElement.closest("#rows li") === window.sameRow`) {
		t.Error("what was closed is open, or the focus is gone")
	}

	w.start("host-b/2", w.account(appid, w.sim.Transport()))
	tb.shows("another publisher", "#publishers", "host-b/2")
	unknown := "wx404404404404404f"
	if err := w.p.SetAccounts([]publisher.Account{w.account(appid, w.sim.Transport()), w.account(unknown, w.sim.Transport())}); err != nil {
		t.Fatal(err)
	}
	tb.shows("trouble", "#banner", "1 of 2 accounts without a live token")
	tb.shows("what to do", "#rows > li:first-child .trouble", "check the AppID")
	if order := eval[string](tb, `[...document.querySelectorAll("#rows > li")].map(r => r.id).join()`); order != "account-"+unknown+",account-"+appid {
		t.Errorf("order: %s", order)
	}
	w.checkForTokens(eval[string](tb, `document.documentElement.outerHTML`))
	tb.shoot("live-trouble")

	w.nats.Stop()
	tb.shows("NATS going", "#banner", "Not connected to NATS")
	w.nats.Resume()
	tb.shows("NATS coming back", "#banner", "1 of 2 accounts without a live token")
}

// shows waits until the element has the text in it.
func (tb *tab) shows(what, selector, text string) {
	tb.t.Helper()
	script := fmt.Sprintf(`(document.querySelector(%q)?.textContent || "").toLowerCase().includes(%q)`, selector, strings.ToLower(text))
	if _, err := chromedp.Run(tb.ctx, chromedp.Poll[bool](script, chromedp.WithPollingTimeout(patience))); err != nil {
		tb.t.Fatalf("waiting for %s: %v: %s says %q", what, err, selector, eval[string](tb, fmt.Sprintf(`document.querySelector(%q)?.textContent || ""`, selector)))
	}
}

// checkForTokens looks for the secret and for every token of the key's history.
func (w *world) checkForTokens(html string) {
	w.t.Helper()
	js, err := jetstream.New(w.nc)
	if err != nil {
		w.t.Fatal(err)
	}
	kv, err := js.KeyValue(w.t.Context(), wire.DefaultBucket)
	if err != nil {
		w.t.Fatal(err)
	}
	history, err := kv.History(w.t.Context(), wire.Key(appid, wire.KindAccessToken))
	if err != nil || len(history) < 2 {
		w.t.Fatalf("%d values: %v", len(history), err)
	}
	for _, entry := range history {
		v, err := wire.DecodeValue(entry.Value())
		if err != nil {
			w.t.Fatal(err)
		}
		if strings.Contains(html, v.Token.Reveal()[8:40]) || !strings.Contains(html, v.ID) {
			w.t.Errorf("the page shows token %s, or not its id", v.ID)
		}
	}
	if strings.Contains(html, appSecret) {
		w.t.Error("the page shows the AppSecret")
	}
}
