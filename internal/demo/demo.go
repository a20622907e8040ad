package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/subscriber"
)

// Config is what runs beside the demo.
type Config struct {
	Out             io.Writer
	Conn            *nats.Conn
	Names           wire.Names
	NATSURL         string // for people
	NeedsServerFlag bool   // the nats CLI would look elsewhere by itself
	APIBase         string
	StatusURL       string // of the status page; "" = there is none
	AppID           string
	Ahead           time.Duration // how long before its end a token is refreshed
	Sim             *wxsim.Server // nil: WeChat is real
	Started         time.Time
}

// How the simulated WeChat misbehaves, so that there is something to see.
const (
	firstIncident = 20 * time.Second
	nextIncident  = 2 * time.Minute
)

// Run shows until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	welcome(cfg.Out, cfg)
	s := &show{out: cfg.Out}
	if err := s.events(cfg.Conn, cfg.Names, cfg.Ahead); err != nil {
		return err
	}
	src, err := subscriber.Open(ctx, cfg.Conn, cfg.AppID, subscriber.WithClient("demo/service"),
		subscriber.WithBucket(cfg.Names.Bucket), subscriber.WithSubjectPrefix(cfg.Names.Prefix))
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open source: %w", err)
	}
	defer src.Close()
	tok, _ := src.Token()
	s.line("service", "has token %s, %d ms after the start of everything", tok.ID, time.Since(cfg.Started).Milliseconds())
	if cfg.Sim != nil {
		go s.incidents(ctx, cfg.Sim, cfg.AppID)
	}
	newService(s, src, cfg).run(ctx)
	return nil
}

// newService calls the simulator often, and the real WeChat seldom: its quotas are ours to spare.
func newService(s *show, src *subscriber.Source, cfg Config) *service {
	sv := &service{show: s, src: src, call: cfg.APIBase + "/cgi-bin/get_api_domain_ip", rate: 20 * time.Second}
	if cfg.Sim != nil {
		sv.call, sv.rate = cfg.APIBase+"/cgi-bin/user/get", 250*time.Millisecond
	}
	return sv
}

// incidents makes tokens die early, as they do in real life.
func (s *show) incidents(ctx context.Context, sim *wxsim.Server, appid string) {
	next := time.NewTimer(firstIncident)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			next.Reset(nextIncident)
		}
		s.line("wechat", "ends the token long before its time, as it does now and then (the demo told it to)")
		for _, ch := range []wxsim.Channel{wxsim.ChannelStable, wxsim.ChannelToken} {
			if err := sim.Revoke(appid, ch, false); err != nil {
				s.line("wechat", "doesn't want to: %v", err)
			}
		}
	}
}
