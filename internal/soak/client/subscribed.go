package client

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/subscriber"
)

// subscribed calls as a service in Go does.
func (c *caller) subscribed(ctx context.Context, cfg Config) error {
	nc, err := nats.Connect(cfg.NATS, append(subscriber.NATSOptions(), nats.RetryOnFailedConnect(true), nats.Name(cfg.Name))...)
	if err != nil {
		return err
	}
	defer nc.Close()
	base, err := url.Parse(cfg.WeChat)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})) // where no token may be
	options := []subscriber.Option{subscriber.WithAPIHosts(base.Host), subscriber.WithClient(cfg.Name), subscriber.WithLogger(log)}
	open := func(appid string) (*subscriber.Source, error) { return subscriber.Open(ctx, nc, appid, options...) }
	if cfg.Fleet {
		fleet, err := subscriber.OpenFleet(ctx, nc, options...)
		if err != nil {
			return err
		}
		defer fleet.Close()
		open = func(appid string) (*subscriber.Source, error) { return fleet.Open(ctx, appid) }
	}
	ready := func(appid string) (*http.Client, error) {
		src, err := open(appid)
		if err != nil {
			return nil, err
		}
		go c.follow(ctx, src)
		return src.Client(), nil
	}
	return c.callAll(ctx, cfg.AppIDs, ready, func(ctx context.Context, _ string) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodGet, cfg.WeChat+"/cgi-bin/user/get", nil)
	})
}

func (c *caller) follow(ctx context.Context, src *subscriber.Source) {
	for tok := range src.Updates(ctx) {
		c.tell(Line{Tell: TellHold, AppID: tok.AppID, ID: tok.ID, At: time.Now()})
	}
}
