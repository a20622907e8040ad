package subscriber

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// The rights of a service that serves all accounts.
const (
	rightGetAll    = "$JS.API.DIRECT.GET.KV_wx_token.$KV.wx_token.*.access_token"
	rightUpdateAll = "wx.token.update.*.access_token"
)

// gate is a server on which the rights of a service can be changed.
type gate struct {
	t       *testing.T
	server  *server.Server
	options server.Options
}

// newGate starts one on which the service may publish on and subscribe to those subjects, and connects it.
func newGate(t *testing.T, publish, subscribe []string) (*gate, *world, *nats.Conn) {
	t.Helper()
	leaveFakeTime()
	g := &gate{t: t, options: server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(),
		NoLog: true, NoSigs: true}}
	g.allow(publish, subscribe)
	g.start()
	t.Cleanup(g.stop)
	connect := func(user string) *nats.Conn {
		nc, err := nats.Connect(g.server.ClientURL(), append(NATSOptions(), nats.UserInfo(user, "p"),
			nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...) // else each violation is printed
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	w := &world{t: t, nc: connect("publisher")}
	js, err := jetstream.New(w.nc)
	if err != nil {
		t.Fatal(err)
	}
	w.js = js
	w.makeBucket()
	w.mint(time.Hour)
	return g, w, connect("service")
}

func (g *gate) start() {
	g.t.Helper()
	options := g.options // the server changes what it is given
	s, err := server.NewServer(&options)
	if err != nil {
		g.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		g.t.Fatal("the server doesn't get ready")
	}
	g.server, g.options.Port = s, options.Port
}

func (g *gate) stop() {
	g.server.Shutdown()
	g.server.WaitForShutdown()
}

func (g *gate) allow(publish, subscribe []string) {
	g.options.Users = []*server.User{{Username: "publisher", Password: "p"}, {Username: "service", Password: "p",
		Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: append(slices.Clone(publish), "none")},
			Subscribe: &server.SubjectPermission{Allow: append(slices.Clone(subscribe), "none")},
		}}}
}

// change gives the service other rights while it runs.
func (g *gate) change(publish, subscribe []string) {
	g.t.Helper()
	g.allow(publish, subscribe)
	if !serverReloads {
		g.stop()
		g.start()
		return
	}
	options := g.options
	if err := g.server.ReloadOptions(&options); err != nil {
		g.t.Fatal(err)
	}
}

var (
	publishAll   = []string{rightInfo, rightGetAll, "wx.token.refresh.*"}
	subscribeAll = []string{rightUpdateAll, rightInbox}
	publishOne   = []string{rightInfo, rightGet, rightRefresh}
	subscribeOne = []string{rightUpdate, rightInbox}
)

func TestRightsOfAFleet(t *testing.T) {
	_, w, nc := newGate(t, publishAll, subscribeAll)
	w.putFor("wxother", 1, time.Hour)
	fleet := w.openFleet(nc)
	defer fleet.Close()
	for _, account := range []string{appid, "wxother"} {
		src, err := fleet.Open(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		w.putFor(account, 2, time.Hour)
		awaitGeneration(t, src, 2)
	}
	if appids, err := fleet.AppIDs(t.Context()); err != nil || len(appids) != 2 {
		t.Errorf("AppIDs = %v, %v", appids, err)
	}
	if err := errors.Join(fleet.Err(), nc.LastError()); err != nil || nc.NumSubscriptions() != 1 {
		t.Errorf("%v; %d subscriptions", err, nc.NumSubscriptions())
	}
}

// Where a service may watch some accounts only, each gets a subscription; for the others, Open names the rights.
func TestFleetWithRightsAccountByAccount(t *testing.T) {
	_, w, nc := newGate(t, publishOne, subscribeOne)
	fleet := w.openFleet(nc)
	defer fleet.Close()
	src, err := fleet.Open(t.Context(), appid)
	if err != nil {
		t.Fatal(err)
	}
	w.mint(time.Hour)
	awaitGeneration(t, src, 2)
	var openers sync.WaitGroup
	began := time.Now()
	for i := range 100 {
		openers.Go(func() {
			_, err := fleet.Open(t.Context(), appidOf(i))
			key := wire.Key(appidOf(i), wire.KindAccessToken)
			if !namesRight(err, "subscribe", "wx.token.update."+key) && // one may hide the other, where so many are missing
				!namesRight(err, "publish", "$JS.API.DIRECT.GET.KV_wx_token.$KV.wx_token."+key) {
				t.Errorf("Open: %v", err)
			}
		})
	}
	openers.Wait()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to name 100 accounts' rights", took)
	}
	if err := nc.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	w.mint(time.Hour)
	awaitGeneration(t, src, 3)
	eventually(t, "all is well", func() bool { return errors.Join(fleet.Err(), src.Err()) == nil })
	// What is still asked after the reconnect has a subscription for its answers.
	eventually(t, "one subscription for one account", func() bool { return nc.NumSubscriptions() == 1 })
}

// A soak found fleets that got no keys for minutes: a lost update made them subscribe anew, and that this was accepted they
// only looked at when it was time for the server's clock again, which had not answered. Here it can't.
func TestFleetGetsKeysAfterALostUpdateWithoutTheServersTime(t *testing.T) {
	_, w, nc := newGate(t, publishAll[1:], subscribeAll)
	fleet := w.openFleet(nc)
	defer fleet.Close()
	accounts := []string{appid, "wxother"}
	sources := make([]*Source, len(accounts))
	for i, account := range accounts {
		w.putFor(account, 2, time.Hour)
		src, err := fleet.Open(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		sources[i] = src
	}
	w.unheard(func() {
		for _, account := range accounts {
			w.putFor(account, 3, time.Hour)
		}
	})
	time.Sleep(lateUpdate + 100*time.Millisecond) // so old is a value whose update must have been lost
	for _, src := range sources {
		eventually(t, "the newest token, with no publisher to ask", func() bool {
			tok, _ := src.Token()
			_, _ = src.Refresh(t.Context(), tok) // looks first
			tok, _ = src.Token()
			return tok.Generation == 3
		})
	}
}

func TestFleetWithoutTheRightToList(t *testing.T) {
	_, w, nc := newGate(t, publishAll[1:], subscribeAll)
	fleet := w.openFleet(nc)
	defer fleet.Close()
	if appids, err := fleet.AppIDs(t.Context()); !namesRight(err, "publish", rightInfo) {
		t.Errorf("AppIDs = %v, %v", appids, err)
	}
	if err := fleet.Err(); !namesRight(err, "publish", rightInfo) {
		t.Errorf("Err() = %v", err)
	}
}

// Rights are taken away from sources that are open, and given back.
func TestRevokedRights(t *testing.T) {
	for name, open := range ways {
		g, w, nc := newGate(t, publishAll, subscribeAll)
		src, stop, err := open(t.Context(), nc)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		g.change(publishAll, []string{rightInbox})
		eventually(t, name+": the right to watch is missed", func() bool {
			src.checkNow(t.Context())
			return namesRight(src.Err(), "subscribe", usesUpdate)
		})
		g.change([]string{rightInfo}, subscribeAll)
		eventually(t, name+": the right to get is missed", func() bool {
			src.checkNow(t.Context())
			return namesRight(src.Err(), "publish", usesGet)
		})
		want(t, src, 1, nil)
		g.change(publishAll, subscribeAll)
		eventually(t, name+": the publisher is connected", func() bool { return w.nc.FlushTimeout(time.Second) == nil })
		w.mint(time.Hour)
		eventually(t, name+": all is well", func() bool {
			src.checkNow(t.Context())
			return src.Err() == nil
		})
		want(t, src, 2, nil)
		w.mint(time.Hour)
		awaitGeneration(t, src, 3)
	}
}
