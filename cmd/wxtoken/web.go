package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/wxtoken/wxtoken/internal/config"
	"github.com/wxtoken/wxtoken/internal/httpd"
	"github.com/wxtoken/wxtoken/internal/statuspage"
	"github.com/wxtoken/wxtoken/publisher"
)

// newRegistry is what /metrics shows, beside what commands register.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "wxtoken_build_info", Help: "1; its labels tell what was built.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
	})
	build.Set(1)
	r.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// web is what a publisher serves over HTTP. Its zero value serves nothing.
type web struct {
	url  string
	stop func()
}

// startWeb serves the status page, health and metrics until stop is called. Without an address it serves nothing. That the
// default one is taken, by another publisher on the same machine, stops nobody.
func startWeb(cfg config.HTTP, p *publisher.Publisher, metrics prometheus.Gatherer, log *slog.Logger) (web, error) {
	nothing := web{stop: func() {}}
	if cfg.Addr == "" {
		return nothing, nil
	}
	l, err := httpd.Listen(cfg.Addr)
	switch {
	case err != nil && cfg.Chosen:
		return web{}, fmt.Errorf("serve status page, health and metrics: %w: set WX_HTTP_ADDR to another address, or to nothing", err)
	case err != nil:
		log.Warn("no status page, health checks and metrics: set WX_HTTP_ADDR to a free address", "err", err)
		return nothing, nil
	}
	page := statuspage.New(p)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := httpd.Serve(ctx, l, newWeb(l.Addr(), p, page, metrics), log); err != nil {
			log.Error("status page, health checks and metrics have ended", "err", err)
		}
	}()
	log.Info("status page", "url", httpd.URL(l))
	return web{httpd.URL(l), func() { page.Close(); cancel(); <-ended }}, nil
}

// newWeb is what is served at addr. What listens beyond loopback is called by whatever name it has there.
func newWeb(addr net.Addr, p *publisher.Publisher, page *statuspage.Page, metrics prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	page.Handle(mux)
	httpd.Handle(mux, func() (bool, any) { return report(p.Status()) }, metrics)
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		return httpd.Guard(mux)
	}
	return mux
}

// readiness is what /readyz answers.
type readiness struct {
	Ready     bool      `json:"ready"`
	Publisher string    `json:"publisher"`
	NATS      string    `json:"nats"`  // connected or disconnected
	Store     string    `json:"store"` // ok, or what is wrong
	Accounts  int       `json:"accounts"`
	Live      int       `json:"live"` // of them have a token that services can use
	Troubled  []trouble `json:"troubled,omitempty"`
}

type trouble struct {
	AppID   string `json:"appid"`
	Problem string `json:"problem"`
	ErrCode int    `json:"errcode,omitempty"`
	RetryAt string `json:"retry_at,omitempty"`
}

// troublesShown bounds an answer of thousands.
const troublesShown = 50

func report(s publisher.Status) (ready bool, answer any) {
	r := readiness{Ready: s.Ready(), Publisher: s.Publisher, NATS: "connected", Store: "ok", Accounts: len(s.Accounts)}
	if !s.Connected {
		r.NATS = "disconnected"
	}
	if s.StoreErr != nil {
		r.Store = s.StoreErr.Error()
	}
	troubled := s.Troubled()
	r.Live = s.Usable()
	for _, a := range troubled[:min(len(troubled), troublesShown)] {
		t := trouble{AppID: a.AppID, Problem: a.Problem(), ErrCode: a.ErrCode()}
		if !a.RetryAt.IsZero() {
			t.RetryAt = a.RetryAt.UTC().Format("2006-01-02T15:04:05Z")
		}
		r.Troubled = append(r.Troubled, t)
	}
	return r.Ready, r
}
