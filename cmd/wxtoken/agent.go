package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/wxtoken/wxtoken/internal/agent"
	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/config"
	"github.com/wxtoken/wxtoken/internal/httpd"
	"github.com/wxtoken/wxtoken/subscriber"
)

func runAgent(ctx context.Context, _, logTo io.Writer) error {
	cfg, err := config.ReadAgent()
	if err != nil {
		return err
	}
	log := cfg.Log.Logger(logTo)
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP) // in any case: it would kill otherwise
	defer signal.Stop(again)
	l, err := httpd.Listen(cfg.Addr)
	if err != nil {
		return fmt.Errorf("agent: %w\nSet WX_AGENT_ADDR to another address, e.g. 127.0.0.1:19403", err)
	}
	defer l.Close()
	nc, err := bus.Connect(cfg.NATS, "wxtoken agent", log, subscriber.NATSOptions()...)
	if err != nil {
		return err
	}
	defer nc.Close()
	g, err := agent.New(agent.Config{
		Conn: nc, Names: cfg.Names, AppIDs: cfg.AppIDs, Bases: cfg.APIBases, Keys: cfg.Keys, TokenDir: cfg.TokenDir,
		Hosts: cfg.Hosts, Metrics: newRegistry(), Logger: log,
	})
	if err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { rereadKeys(watching, again, cfg.KeysFile, g, log) })
	log.Info("agent runs", "url", httpd.URL(l), "accounts", len(cfg.AppIDs), "keys", len(cfg.Keys))
	err = g.Run(ctx, l)
	stop()
	watch.Wait()
	if err != nil {
		return err
	}
	log.Info("agent has stopped")
	return nil
}

// rereadKeys reads the file of keys again whenever again is sent on, until ctx ends.
func rereadKeys(ctx context.Context, again <-chan os.Signal, path string, g *agent.Agent, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-again:
		}
		if path == "" {
			log.Warn("SIGHUP has nothing to read again: WX_AGENT_KEYS names no file")
			continue
		}
		keys, err := config.ReadKeys(path)
		if err != nil {
			log.Error("keys can't be used, they stay as they are", "err", err)
			continue
		}
		g.SetKeys(keys)
		log.Info("keys were read", "keys", len(keys))
	}
}
