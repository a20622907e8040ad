package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxtoken/wxtoken/internal/httpd"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/subscriber"
)

// Config is what an Agent needs to know.
type Config struct {
	Conn     *nats.Conn
	Names    wire.Names
	AppIDs   []string                 // the accounts to serve; none: all that have a token, later ones too
	Bases    []string                 // API base URLs, tried in order while no connection can be made
	Keys     map[string]secret.String // what mint endpoints take for the AppSecret, by appid; nil: anything
	TokenDir string                   // where token files are written; empty: nowhere
	Hosts    []string                 // names that callers may use for the agent, beside localhost and IP addresses
	Client   string                   // how the publishers' audit trail names the agent; empty: host and process id
	Metrics  *prometheus.Registry     // takes the agent's metrics, and is what /metrics shows
	Logger   *slog.Logger             // nil discards
}

// Agent is a proxy of WeChat's API that adds the tokens.
type Agent struct {
	cfg      Config
	bases    []*url.URL
	upstream *upstream
	proxy    *httputil.ReverseProxy
	metrics  *metrics
	log      *slog.Logger
	accounts accounts
	listed   atomic.Bool // all accounts of the bucket are known
	keys     atomic.Pointer[map[string]secret.String]
	fleet    atomic.Pointer[fleetState]
	warned   atomic.Int64 // when a failed call was logged loudly the last time, Unix seconds
}

// New makes an Agent, or tells everything that is wrong with cfg. It does no I/O.
func New(cfg Config) (*Agent, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	bases, err := parseBases(cfg.Bases)
	if cfg.Conn == nil {
		err = errors.Join(err, errors.New("no connection"))
	}
	if cfg.Metrics == nil {
		err = errors.Join(err, errors.New("no metrics registry"))
	}
	for _, appid := range cfg.AppIDs {
		err = errors.Join(err, wire.CheckAppID(appid))
	}
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	g := &Agent{cfg: cfg, bases: bases, upstream: newUpstream(bases), metrics: newMetrics(), log: cfg.Logger}
	g.fleet.Store(&fleetState{})
	g.SetKeys(cfg.Keys)
	g.proxy = g.newProxy()
	for _, appid := range cfg.AppIDs {
		g.accounts.add(appid, false)
	}
	g.listed.Store(len(cfg.AppIDs) > 0) // no others are served
	return g, g.metrics.register(cfg.Metrics, &g.accounts)
}

func parseBases(texts []string) (bases []*url.URL, err error) {
	for i, text := range texts {
		base, wrong := url.Parse(text)
		if wrong != nil || base.Host == "" || base.User != nil || base.RawQuery != "" {
			err = errors.Join(err, fmt.Errorf("API base URL %d: want https://host", i+1))
			continue
		}
		bases = append(bases, base)
	}
	if len(texts) == 0 {
		err = errors.New("no API base URL")
	}
	return bases, err
}

// SetKeys changes what the mint endpoints take for the AppSecret. With nil they take anything.
func (g *Agent) SetKeys(keys map[string]secret.String) { g.keys.Store(&keys) }

// Run serves on l until ctx ends and the running calls have ended, 20 s later at most. It closes l. Before it answers,
// it waits until the accounts have their tokens, 2 s at most: callers notice a restart as a delay.
func (g *Agent) Run(ctx context.Context, l net.Listener) error {
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx)) // running calls need their tokens
	var keepers sync.WaitGroup
	keepers.Go(func() { g.keep(keeping) })
	g.awaitAccounts(ctx)
	err := httpd.Serve(ctx, l, g.Handler(), g.log)
	stop()
	keepers.Wait()
	g.upstream.CloseIdleConnections()
	return err
}

// Handler is all that the agent serves.
func (g *Agent) Handler() http.Handler {
	status := http.NewServeMux()
	httpd.Handle(status, g.ready, g.cfg.Metrics)
	return httpd.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz", "/readyz", "/metrics":
			status.ServeHTTP(w, r)
		default: // not by a ServeMux: it redirects odd paths
			g.serveCall(w, r)
		}
	}), g.cfg.Hosts...)
}

// options are those of every source.
func (g *Agent) options() []subscriber.Option {
	options := []subscriber.Option{
		subscriber.WithBucket(g.cfg.Names.Bucket),
		subscriber.WithSubjectPrefix(g.cfg.Names.Prefix),
		subscriber.WithLogger(g.log),
		subscriber.WithAPIHosts(g.bases[0].Host), // upstream turns to the others
	}
	if g.cfg.Client != "" {
		options = append(options, subscriber.WithClient(g.cfg.Client))
	}
	return options
}
