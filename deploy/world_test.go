package deploy

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/publisher"
)

const (
	ownAppID   = "wx0123456789abcdef" // the one that user service has rights on
	otherAppID = "wxfedcba9876543210"
)

// patience is how long a test waits for what should take milliseconds. It is no bound to be kept.
const patience = 30 * time.Second

// startNATS runs one server with nats.conf as it stands, but for what ties it to its container.
func startNATS(t *testing.T) *server.Server {
	t.Helper()
	t.Setenv("NATS_NAME", "test")
	dir := t.TempDir() // the secrets lie side by side in a container too
	for _, file := range []string{"nats.conf", "demo-secrets/routes.conf"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	options, err := server.ProcessConfigFile(filepath.Join(dir, "nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if len(options.Routes) != 3 || options.Cluster.Password == "" {
		t.Errorf("routes: %v, with a password: %v", options.Routes, options.Cluster.Password != "")
	}
	options.Host, options.Port, options.HTTPPort = "127.0.0.1", server.RANDOM_PORT, 0
	options.Cluster, options.Routes = server.ClusterOpts{}, nil
	options.StoreDir = t.TempDir()
	options.NoLog, options.NoSigs = true, true
	started, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	started.Start()
	t.Cleanup(func() { started.Shutdown(); started.WaitForShutdown() })
	if !started.ReadyForConnections(patience) {
		t.Fatal("the server doesn't get ready")
	}
	return started
}

func seedOf(user string) string { return filepath.Join("demo-secrets", user+".nk") }

func inboxOf(user string) string { return "_INBOX." + user }

// connect connects as our commands do.
func connect(t *testing.T, s *server.Server, user string) *nats.Conn {
	t.Helper()
	login := bus.Login{URL: s.ClientURL(), NKey: seedOf(user), InboxPrefix: inboxOf(user)}
	nc, err := bus.Connect(login, user, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	await(t, "the login of "+user, nc.IsConnected)
	return nc
}

// world is a server with a publisher of two accounts at work.
type world struct {
	t      *testing.T
	server *server.Server
	sim    *wxsim.Server
	url    string // of the simulator
	conn   *nats.Conn
}

func newWorld(t *testing.T) *world {
	t.Helper()
	sim, err := wxsim.New(wxsim.Options{Accounts: []wxsim.Account{{AppID: ownAppID, Secret: "secret"}, {AppID: otherAppID, Secret: "secret"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	api := httptest.NewServer(sim)
	t.Cleanup(api.Close)
	w := &world{t: t, server: startNATS(t), sim: sim, url: api.URL}
	w.conn = connect(t, w.server, "publisher")
	w.publish()
	await(t, "both tokens", func() bool { return w.value(ownAppID).ID != "" && w.value(otherAppID).ID != "" })
	return w
}

// publish runs a publisher, with user publisher's rights, until the test ends.
func (w *world) publish() {
	w.t.Helper()
	client, err := wechat.NewClient(wechat.Config{Bases: []string{w.url}, Timeout: 5 * time.Second})
	if err != nil {
		w.t.Fatal(err)
	}
	account := func(appid string) publisher.Account {
		return publisher.Account{AppID: appid, Endpoint: wechat.PlainToken, Minter: client.Account(appid, secret.New("secret"), wechat.PlainToken)}
	}
	p, err := publisher.New(publisher.Config{
		Conn: w.conn, Names: wire.DefaultNames(), Accounts: []publisher.Account{account(ownAppID), account(otherAppID)},
		RefreshAhead: 5 * time.Minute, HTTPTimeout: 5 * time.Second, LeaseTTL: 15 * time.Second, VerifyReports: true,
		Publisher: "test", Version: "0.1.0",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Run(ctx); err != nil {
			w.t.Errorf("publisher: %v", err)
		}
	})
	w.t.Cleanup(func() { stop(); running.Wait() })
}

// value is what the account's key holds, read with the publisher's rights.
func (w *world) value(appid string) (v wire.Value) {
	w.t.Helper()
	js, err := jetstream.New(w.conn)
	if err != nil {
		w.t.Fatal(err)
	}
	entry, err := bus.OpenKV(w.conn, js, wire.DefaultBucket).Latest(w.deadline(), wire.Key(appid, wire.KindAccessToken))
	if err != nil && !errors.Is(err, bus.ErrNoBucket) {
		w.t.Fatal(err)
	}
	if entry.Exists {
		if v, err = wire.DecodeValue(entry.Value); err != nil {
			w.t.Fatal(err)
		}
	}
	return v
}

// deadline is a ctx that ends in good time.
func (w *world) deadline() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	w.t.Cleanup(cancel)
	return ctx
}

// await polls for what has no signal of its own.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
