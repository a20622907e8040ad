package stage

import (
	"errors"
	"fmt"
	"strings"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// Link is a way from one process to some of the NATS servers, through fault proxies.
type Link struct {
	proxies []*toxiproxy.Proxy
	toxics  []*toxic
}

// network makes links.
type network struct {
	api   *toxiproxy.ApiServer // serves nothing here: proxies want one for their metrics
	ports *ports
	links []*Link
}

func newNetwork(p *ports) *network {
	toxics.Register(toxicType, new(toxic))
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
		for _, direction := range []string{"upstream", "downstream"} {
			added, err := proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"type":%q,"stream":%q}`, toxicType, direction)))
			if err != nil {
				return nil, fmt.Errorf("link %s: %w", name, err)
			}
			l.toxics = append(l.toxics, added.Toxic.(*toxic))
		}
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

// Turn puts the link, with the connections that it has, into a condition until Heal.
func (l *Link) Turn(c Condition) {
	for _, t := range l.toxics {
		t.condition.Store(int32(c))
	}
}

// Heal undoes Cut and Turn. What was connected meanwhile is cut once: a connection that has lost bytes must not go on.
func (l *Link) Heal() error {
	l.Cut()
	l.Turn(Clear)
	var errs []error
	for _, p := range l.proxies {
		errs = append(errs, p.Start())
	}
	return errors.Join(errs...)
}
