package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/wxtoken/wxtoken/internal/config"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/publisher"
)

// accounts makes the publisher's accounts of those in the configuration.
type accounts struct {
	client *wechat.Client
	made   map[string]configured
}

type configured struct {
	of     config.Account
	minter *wechat.Account
}

func newAccounts(cfg config.Publisher) (*accounts, error) {
	client, err := wechat.NewClient(wechat.Config{Bases: cfg.APIBases, Timeout: cfg.HTTPTimeout})
	if err != nil {
		return nil, err
	}
	return &accounts{client: client}, nil
}

// of gives an account that is as it was the last time the same minter again, by which the publisher knows that.
func (as *accounts) of(entries []config.Account) []publisher.Account {
	before := as.made
	as.made = make(map[string]configured, len(entries))
	given := make([]publisher.Account, 0, len(entries))
	for _, a := range entries {
		m, known := before[a.AppID]
		if !known || !m.of.Equal(a) {
			m = configured{a, as.client.Account(a.AppID, a.Secret, a.Endpoint)}
		}
		as.made[a.AppID] = m
		given = append(given, publisher.Account{AppID: a.AppID, Endpoint: a.Endpoint, Minter: m.minter})
	}
	return given
}

// watch gives p the accounts of the file whenever it changes or again is sent on, until ctx ends.
func (as *accounts) watch(ctx context.Context, cfg config.Publisher, again <-chan os.Signal, log *slog.Logger, p *publisher.Publisher) {
	if cfg.AccountsFile.Path == "" {
		ignore(ctx, again, log)
		return
	}
	cfg.AccountsFile.Watch(ctx, cfg.Accounts, again, log, func(now []config.Account) {
		if err := p.SetAccounts(as.of(now)); err != nil {
			log.Error("accounts can't be used, they stay as they are", "err", err) // the file's reader has checked them
		}
	})
}

// ignore is for SIGHUP where no file can be read again.
func ignore(ctx context.Context, again <-chan os.Signal, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-again:
			log.Warn("SIGHUP has nothing to read again: accounts come from variables, not from WX_ACCOUNTS_FILE or WX_SECRET_FILE")
		}
	}
}
