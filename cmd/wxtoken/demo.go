package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/config"
	"github.com/wxtoken/wxtoken/internal/demo"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

func runDemo(ctx context.Context, out, logTo io.Writer) error {
	started := time.Now()
	cfg, err := config.ReadDemo()
	if err != nil {
		return err
	}
	log := cfg.Publisher.Log.Logger(logTo)
	dir, err := os.MkdirTemp("", "wxtoken-demo-")
	if err != nil {
		return fmt.Errorf("make a data folder: %w", err)
	}
	defer os.RemoveAll(dir)
	cfg.Publisher.Embedded.DataDir = dir
	sim, stopSim, err := startDemoSimulator(&cfg, log)
	if err != nil {
		return err
	}
	defer stopSim()
	embedded, err := startEmbedded(cfg.Publisher.Embedded, log)
	if err != nil {
		return err
	}
	defer embedded.Stop()
	return runDemoOn(ctx, cfg, embedded, log, demo.Config{
		Out:             out,
		Names:           cfg.Publisher.Names,
		NATSURL:         embedded.URL(),
		NeedsServerFlag: config.NATSURLIsSet() || cfg.Publisher.Embedded.Addr != "127.0.0.1:4222",
		APIBase:         cfg.Publisher.APIBases[0],
		AppID:           cfg.Publisher.Accounts[0].AppID,
		Ahead:           cfg.Publisher.RefreshAhead,
		Sim:             sim,
		Started:         started,
	})
}

// runDemoOn runs publisher and show until ctx ends or one of them fails.
func runDemoOn(ctx context.Context, cfg config.Demo, embedded *bus.Embedded, log *slog.Logger, show demo.Config) error {
	nc, err := bus.Connect(bus.Login{}, "wxtoken demo", log, embedded.InProcess())
	if err != nil {
		return err
	}
	defer drain(nc)
	metrics := newRegistry()
	p, err := newPublisher(cfg.Publisher, nc, metrics, log)
	if err != nil {
		return err
	}
	served, err := startWeb(cfg.Publisher.HTTP, p, metrics, log)
	if err != nil {
		return err
	}
	defer served.stop()
	show.Conn, show.StatusURL = nc, served.url
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	published := make(chan error, 1)
	go func() {
		defer cancel()
		published <- p.Run(ctx)
	}()
	shown := demo.Run(ctx, show)
	cancel()
	return errors.Join(shown, <-published)
}

// startDemoSimulator starts the simulated WeChat and points the publisher at it, unless the account is real.
func startDemoSimulator(cfg *config.Demo, log *slog.Logger) (*wxsim.Server, func(), error) {
	if cfg.Simulator == nil {
		return nil, func() {}, nil
	}
	sim, err := newSimulator(*cfg.Simulator, log)
	if err != nil {
		return nil, nil, err
	}
	addr, stop, err := listen(cfg.Simulator.Addr, sim, log)
	if err != nil {
		return nil, nil, err
	}
	cfg.Publisher.APIBases = []string{"http://" + addr}
	return sim, stop, nil
}
