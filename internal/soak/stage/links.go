package stage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Link is a way from one process to some of the NATS servers, through fault proxies.
type Link struct {
	proxies []*toxiproxy.Proxy
}

// Slow is a link of 200 to 400 ms and 32 KB/s in each direction; Dead lets nothing pass and tells nobody.
var (
	Slow = []string{
		`{"type":"latency","stream":"upstream","attributes":{"latency":150,"jitter":50}}`,
		`{"type":"latency","stream":"downstream","attributes":{"latency":150,"jitter":50}}`,
		`{"type":"bandwidth","stream":"downstream","attributes":{"rate":32}}`,
	}
	Dead = []string{
		`{"type":"timeout","stream":"upstream","attributes":{"timeout":0}}`,
		`{"type":"timeout","stream":"downstream","attributes":{"timeout":0}}`,
	}
)

// network makes links.
type network struct {
	api   *toxiproxy.ApiServer // serves nothing here: proxies want one for their metrics
	ports *ports
	links []*Link
}

func newNetwork(p *ports) *network {
	return &network{api: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), ports: p}
}

// link makes a link to the addresses.
func (n *network) link(name string, to ...string) (*Link, error) {
	l := &Link{}
	for i, upstream := range to {
		addr, err := n.ports.addr()
		if err != nil {
			return nil, err
		}
		proxy := toxiproxy.NewProxy(n.api, fmt.Sprintf("%s-%d", name, i), addr, upstream)
		if err := proxy.Start(); err != nil {
			return nil, fmt.Errorf("link %s: %w", name, err)
		}
		l.proxies = append(l.proxies, proxy)
	}
	n.links = append(n.links, l)
	return l, nil
}

func (n *network) close() {
	for _, l := range n.links {
		l.Cut()
	}
}

// URL is what a NATS client connects to.
func (l *Link) URL() string {
	var urls []string
	for _, p := range l.proxies {
		urls = append(urls, "nats://"+p.Listen)
	}
	return strings.Join(urls, ",")
}

// Cut ends all connections and refuses new ones.
func (l *Link) Cut() {
	for _, p := range l.proxies {
		p.Stop()
	}
}

// Heal undoes Cut and Poison. What was connected meanwhile is cut once.
func (l *Link) Heal() error {
	var errs []error
	for _, p := range l.proxies {
		p.Stop() // a connection that has lost bytes must not go on
		p.Toxics.ResetToxics(context.Background())
		errs = append(errs, p.Start())
	}
	return errors.Join(errs...)
}

// Poison does to the link what the toxics say, until Heal.
func (l *Link) Poison(toxics []string) error {
	var errs []error
	for _, p := range l.proxies {
		for _, toxic := range toxics {
			_, err := p.Toxics.AddToxicJson(strings.NewReader(toxic))
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
