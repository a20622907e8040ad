package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// NATSServer is one server of the cluster.
type NATSServer struct {
	*Process
	addr, routeAddr, store string
	routes                 []*Link // to the others, and from them
}

// Isolate cuts the server off from the others; its clients stay.
func (s *NATSServer) Isolate() {
	for _, l := range s.routes {
		l.Cut()
	}
}

// Rejoin undoes Isolate.
func (s *NATSServer) Rejoin() error {
	var errs []error
	for _, l := range s.routes {
		errs = append(errs, l.Heal())
	}
	return errors.Join(errs...)
}

// LoseStore empties the store of a server that doesn't run.
func (s *NATSServer) LoseStore() error { return os.RemoveAll(s.store) }

// Cluster is the NATS servers.
type Cluster struct {
	Servers []*NATSServer
	watcher *nats.Conn // goes to the servers directly
}

const clusterSize = 3

func newCluster(program, dir string, n *network) (*Cluster, error) {
	addrs, err := n.ports.addrs(2 * clusterSize)
	if err != nil {
		return nil, err
	}
	c := &Cluster{}
	for i := range clusterSize {
		name := "nats-" + string(rune('a'+i))
		c.Servers = append(c.Servers, &NATSServer{
			Process: &Process{Name: name, path: program, dir: dir, args: []string{"-c", filepath.Join(dir, name+".conf")}},
			addr:    addrs[2*i], routeAddr: addrs[2*i+1], store: filepath.Join(dir, name+".store"),
		})
	}
	for _, s := range c.Servers {
		if err := c.configure(s, n); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// configure writes a server's configuration. Clients know the addresses that they were given and no others, and so do
// routes (connecting to the advertised one fails): else they would go around the fault proxies.
func (c *Cluster) configure(s *NATSServer, n *network) error {
	var routes []string
	for _, other := range c.Servers {
		if other == s {
			continue
		}
		l, err := n.link(s.Name+"-to-"+other.Name, other.routeAddr)
		if err != nil {
			return err
		}
		s.routes, other.routes = append(s.routes, l), append(other.routes, l)
		routes = append(routes, l.URL())
	}
	return os.WriteFile(filepath.Join(s.dir, s.Name+".conf"), fmt.Appendf(nil, `
server_name: %s
listen: %q
jetstream { store_dir: %q }
cluster { name: soak, listen: %q, advertise: "127.0.0.1:1", no_advertise: true, routes: [%s] }
`, s.Name, s.addr, s.store, s.routeAddr, strings.Join(routes, ", ")), 0o600)
}

func (c *Cluster) start(ctx context.Context) error {
	for _, s := range c.Servers {
		if err := s.Start(); err != nil {
			return err
		}
	}
	var err error
	c.watcher, err = nats.Connect(strings.Join(c.addrs(), ","), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(100*time.Millisecond), nats.PingInterval(2*time.Second), nats.Name("soak"))
	if err != nil {
		return err
	}
	return await(ctx, time.Minute, "JetStream", func(ctx context.Context) error {
		js, err := jetstream.New(c.watcher)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err = js.AccountInfo(ctx)
		return err
	})
}

func (c *Cluster) addrs() []string {
	var list []string
	for _, s := range c.Servers {
		list = append(list, s.addr)
	}
	return list
}

// Leader is the server that leads the stream of tokens, or any.
func (c *Cluster) Leader(ctx context.Context) *NATSServer {
	info, err := c.info(ctx, wire.DefaultBucket)
	if err != nil {
		return c.Servers[0]
	}
	i := slices.IndexFunc(c.Servers, func(s *NATSServer) bool { return s.Name == info.Leader })
	return c.Servers[max(0, i)]
}

// AwaitWhole waits until all servers hold all that the publishers store.
func (c *Cluster) AwaitWhole(ctx context.Context) error {
	return await(ctx, 2*time.Minute, "all replicas", func(ctx context.Context) error {
		for _, bucket := range []string{wire.DefaultBucket, wire.DefaultNames().OpsBucket()} {
			info, err := c.info(ctx, bucket)
			if err != nil {
				return err
			}
			if info.Leader == "" || len(info.Replicas) != clusterSize-1 {
				return fmt.Errorf("bucket %s has leader %q and %d replicas", bucket, info.Leader, len(info.Replicas))
			}
			if i := slices.IndexFunc(info.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current || p.Offline }); i >= 0 {
				return fmt.Errorf("bucket %s: %s isn't current", bucket, info.Replicas[i].Name)
			}
		}
		return nil
	})
}

func (c *Cluster) info(ctx context.Context, bucket string) (*jetstream.ClusterInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	js, err := jetstream.New(c.watcher)
	if err != nil {
		return nil, err
	}
	stream, err := js.Stream(ctx, wire.Names{Bucket: bucket}.Stream())
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", bucket, err)
	}
	if info := stream.CachedInfo().Cluster; info != nil {
		return info, nil
	}
	return nil, fmt.Errorf("bucket %s is in no cluster", bucket)
}

// Report sends a refresh request, as somebody who doesn't wait for the answer. It is lost if the cluster is away.
func (c *Cluster) Report(appid string, request []byte) error {
	return c.watcher.Publish(wire.DefaultNames().AccountRefreshSubject(appid), request)
}
