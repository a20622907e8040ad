package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/config"
	"github.com/wxtoken/wxtoken/publisher"
)

func runPublisher(ctx context.Context, _, logTo io.Writer) error {
	cfg, err := config.ReadPublisher()
	if err != nil {
		return err
	}
	log := cfg.Log.Logger(logTo)
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP) // in any case: it would kill otherwise
	defer signal.Stop(again)
	nc, closeBus, err := openBus(cfg, log)
	if err != nil {
		return err
	}
	defer closeBus()
	accounts, err := newAccounts(cfg)
	if err != nil {
		return err
	}
	metrics := newRegistry()
	p, err := accounts.newPublisher(cfg, nc, metrics, log)
	if err != nil {
		return err
	}
	served, err := startWeb(cfg.HTTP, p, metrics, log)
	if err != nil {
		return err
	}
	defer served.stop()
	watching, stopWatching := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { accounts.watch(watching, cfg, again, log, p) })
	err = p.Run(ctx)
	stopWatching()
	watch.Wait()
	if err != nil {
		return err
	}
	log.Info("publisher has stopped")
	return nil
}

// openBus connects to the configured NATS, or to an embedded server that it starts. The returned function ends both.
func openBus(cfg config.Publisher, log *slog.Logger) (*nats.Conn, func(), error) {
	if cfg.NATS.URL != "" {
		nc, err := bus.Connect(cfg.NATS, "wxtoken publisher", log)
		return nc, func() { drain(nc) }, err
	}
	embedded, err := startEmbedded(cfg.Embedded, log)
	if err != nil {
		return nil, nil, err
	}
	login := bus.Login{User: cfg.Embedded.User, Password: cfg.Embedded.Password}
	nc, err := bus.Connect(login, "wxtoken publisher", log, embedded.InProcess())
	if err != nil {
		embedded.Stop()
		return nil, nil, err
	}
	return nc, func() { drain(nc); embedded.Stop() }, nil
}

func startEmbedded(cfg bus.EmbeddedConfig, log *slog.Logger) (*bus.Embedded, error) {
	embedded, err := bus.StartEmbedded(cfg, log)
	switch {
	case errors.Is(err, bus.ErrAddrTaken):
		return nil, fmt.Errorf("%w\nIs a NATS server running there? Use it with NATS_URL=nats://%s, or set WX_EMBEDDED_ADDR to another address, e.g. 127.0.0.1:14222", err, cfg.Addr)
	case errors.Is(err, bus.ErrDataDirInUse):
		return nil, fmt.Errorf("%w: set WX_DATA_DIR to another folder, or NATS_URL to share a NATS server", err)
	}
	return embedded, err
}

// drain sends what is still to be sent, and waits a second for it at most.
func drain(nc *nats.Conn) {
	if nc.IsConnected() {
		_ = nc.FlushTimeout(time.Second) // what can't be sent within it is lost with the connection
	}
	nc.Close()
}

func newPublisher(cfg config.Publisher, nc *nats.Conn, metrics prometheus.Registerer, log *slog.Logger) (*publisher.Publisher, error) {
	accounts, err := newAccounts(cfg)
	if err != nil {
		return nil, err
	}
	return accounts.newPublisher(cfg, nc, metrics, log)
}

func (as *accounts) newPublisher(cfg config.Publisher, nc *nats.Conn, metrics prometheus.Registerer, log *slog.Logger) (*publisher.Publisher, error) {
	return publisher.New(publisher.Config{
		Conn:               nc,
		Accounts:           as.of(cfg.Accounts),
		Names:              cfg.Names,
		Replicas:           cfg.Replicas,
		RefreshAhead:       cfg.RefreshAhead,
		RefreshEvery:       cfg.RefreshEvery,
		InitialDelay:       cfg.InitialDelay,
		MinRefreshInterval: cfg.MinRefreshInterval,
		VerifyReports:      cfg.VerifyReports,
		HTTPTimeout:        cfg.HTTPTimeout,
		LeaseTTL:           cfg.LeaseTTL,
		Publisher:          publisherName(),
		Version:            version,
		Logger:             log,
		Metrics:            metrics,
	})
}

// publisherName is how values and events name this process.
func publisherName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}
