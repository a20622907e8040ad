package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/wxtoken/wxtoken/internal/config"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

func runSimulator(ctx context.Context, _, logTo io.Writer) error {
	cfg, err := config.ReadSimulator()
	if err != nil {
		return err
	}
	log := cfg.Log.Logger(logTo)
	sim, err := newSimulator(cfg, log)
	if err != nil {
		return err
	}
	addr, stop, err := listen(cfg.Addr, sim, log)
	if err != nil {
		return err
	}
	defer stop()
	log.Info("simulated WeChat runs", "url", "http://"+addr, "help", "http://"+addr+"/_sim/", "accounts", len(cfg.Accounts), "expires_in", cfg.ExpiresIn)
	<-ctx.Done()
	log.Info("simulated WeChat has stopped")
	return nil
}

func newSimulator(cfg config.Simulator, log *slog.Logger) (*wxsim.Server, error) {
	accounts := make([]wxsim.Account, len(cfg.Accounts))
	for i, a := range cfg.Accounts {
		accounts[i] = wxsim.Account{AppID: a.AppID, Secret: a.Secret.Reveal()}
	}
	return wxsim.New(wxsim.Options{Accounts: accounts, ExpiresIn: cfg.ExpiresIn, Logger: log})
}

// listen serves the simulator on addr, and returns where that is and how to end it.
func listen(addr string, sim *wxsim.Server, log *slog.Logger) (string, func(), error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", nil, fmt.Errorf("simulated WeChat: %w\nSet WX_SIM_ADDR to another address, e.g. 127.0.0.1:19401", err)
	}
	server := &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("simulated WeChat doesn't listen any more", "err", err)
		}
	}()
	return l.Addr().String(), func() { sim.Close(); server.Close() }, nil
}
