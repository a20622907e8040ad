package sdktest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/publisher"
	"github.com/wxtoken/wxtoken/subscriber"
)

const (
	// tokenLife scales WeChat's windows: a replaced token lives 1.5 s more, and the one before it dies at once.
	tokenLife    = 36 * time.Second
	rotateEvery  = 300 * time.Millisecond
	secretOfAll  = "secret"
	httpTimeout  = time.Second
	leaseTTL     = 2 * time.Second
	refreshAhead = 3 * time.Second
)

// world is a NATS server, a simulated WeChat behind a socket, and publishers.
type world struct {
	t      *testing.T
	nats   *natstest.Server
	url    string // of nats, which has none while it is down
	sim    *wxsim.Server
	api    *url.URL
	kinds  map[string]sdk // by appid
	appids []string

	publishers []*runningPublisher
	reasons    *reasons
	sources    map[string]*subscriber.Source // by appid
}

func newWorld(t *testing.T, kinds map[string]sdk) *world {
	t.Helper()
	w := &world{t: t, nats: natstest.Start(t), kinds: kinds, appids: slices.Sorted(maps.Keys(kinds))}
	w.url = w.nats.URL()
	w.sources = make(map[string]*subscriber.Source)
	w.reasons = w.hearReasons()
	var accounts []wxsim.Account
	for _, appid := range w.appids {
		accounts = append(accounts, wxsim.Account{AppID: appid, Secret: secretOfAll})
	}
	sim, err := wxsim.New(wxsim.Options{Accounts: accounts, ExpiresIn: tokenLife, Knobs: wxsim.Knobs{TokenPerDay: -1}})
	if err != nil {
		t.Fatal(err)
	}
	w.sim = sim
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	if w.api, err = url.Parse(server.URL); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		w.publishers = append(w.publishers, w.startPublisher(i))
	}
	t.Cleanup(func() {
		for _, p := range w.publishers {
			p.stop()
		}
	})
	return w
}

// runningPublisher is a publisher with a connection of its own.
type runningPublisher struct {
	t      *testing.T
	conn   *nats.Conn
	cancel context.CancelFunc
	ended  chan error
	once   sync.Once
}

func (w *world) startPublisher(number int) *runningPublisher {
	w.t.Helper()
	nc, err := bus.Connect(bus.Login{URL: w.url}, "sdktest publisher", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := publisher.New(publisher.Config{
		Conn:          nc,
		Accounts:      w.accounts(),
		Names:         wire.DefaultNames(),
		RefreshAhead:  refreshAhead,
		RefreshEvery:  rotateEvery,
		VerifyReports: true,
		HTTPTimeout:   httpTimeout,
		LeaseTTL:      leaseTTL,
		Publisher:     fmt.Sprintf("sdktest/%d", number),
		Version:       "0.0.1",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	running := &runningPublisher{t: w.t, conn: nc, cancel: cancel, ended: make(chan error, 1)}
	go func() { running.ended <- p.Run(ctx) }()
	return running
}

func (w *world) accounts() []publisher.Account {
	w.t.Helper()
	client, err := wechat.NewClient(wechat.Config{Bases: []string{w.api.String()}, Timeout: httpTimeout})
	if err != nil {
		w.t.Fatal(err)
	}
	var accounts []publisher.Account
	for _, appid := range w.appids {
		minter := client.Account(appid, secret.New(secretOfAll), wechat.PlainToken)
		accounts = append(accounts, publisher.Account{AppID: appid, Endpoint: wechat.PlainToken, Minter: minter})
	}
	return accounts
}

// stop ends the publisher as SIGTERM does.
func (p *runningPublisher) stop() {
	p.once.Do(func() {
		p.cancel()
		if err := <-p.ended; err != nil {
			p.t.Errorf("publisher: %v", err)
		}
		p.conn.Close()
	})
}

func (w *world) restartPublisher(number int) {
	w.t.Helper()
	w.publishers[number].stop()
	w.publishers[number] = w.startPublisher(number)
}

// connect connects as services do.
func (w *world) connect() *nats.Conn {
	w.t.Helper()
	nc, err := nats.Connect(w.url, subscriber.NATSOptions()...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(nc.Close)
	return nc
}

// open opens a source as services do.
func (w *world) open(appid string) *subscriber.Source {
	w.t.Helper()
	nc := w.connect()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	src, err := subscriber.Open(ctx, nc, appid)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(src.Close)
	w.sources[appid] = src
	return src
}

// network takes requests for WeChat's hosts to the simulator. It stands where the network does, below any Transport.
func (w *world) network() http.RoundTripper {
	sockets := http.DefaultTransport.(*http.Transport).Clone()
	sockets.MaxIdleConnsPerHost = 64
	w.t.Cleanup(sockets.CloseIdleConnections)
	return diversion{w.api, sockets}
}

type diversion struct {
	to      *url.URL
	sockets http.RoundTripper
}

func (d diversion) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" {
		return nil, fmt.Errorf("a token was about to be sent to %s://%s", req.URL.Scheme, req.URL.Host)
	}
	diverted := req.Clone(req.Context())
	diverted.URL.Scheme, diverted.URL.Host, diverted.Host = d.to.Scheme, d.to.Host, ""
	return d.sockets.RoundTrip(diverted)
}
