package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// natsCommand is what start runs as a NATS server.
const natsCommand = "nats"

// natsServer is a server of a cluster, in a process of its own: a server in the test's process can be stopped in an
// orderly way only, which hands leaderships over.
type natsServer struct {
	*process
	natsConfig
}

// natsConfig is what a server's process is told.
type natsConfig struct {
	Name, Addr, RouteAddr, StoreDir string
	Routes                          []string // RouteAddr of all
}

// runNATS is main of a server's process.
func runNATS() {
	var cfg natsConfig
	if err := json.Unmarshal([]byte(os.Getenv("WXTOKEN_TEST_NATS")), &cfg); err != nil {
		panic(err)
	}
	options := &server.Options{ServerName: cfg.Name, JetStream: true, StoreDir: cfg.StoreDir, Cluster: server.ClusterOpts{Name: "test"}}
	options.Host, options.Port = hostPort(cfg.Addr)
	options.Cluster.Host, options.Cluster.Port = hostPort(cfg.RouteAddr)
	for _, route := range cfg.Routes {
		options.Routes = append(options.Routes, &url.URL{Scheme: "nats", Host: route})
	}
	started, err := server.NewServer(options)
	if err != nil {
		panic(err)
	}
	started.ConfigureLogger()
	started.Start()
	started.WaitForShutdown()
}

func hostPort(addr string) (string, int) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		panic(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return host, port
}

// natsCluster is three servers whose JetStream replicates.
type natsCluster struct {
	w       *world
	servers []*natsServer
	watcher *nats.Conn // asks how streams are
}

func startNATSCluster(t *testing.T) *natsCluster {
	t.Helper()
	c := &natsCluster{}
	var routes []string
	for i := range 3 {
		s := &natsServer{natsConfig: natsConfig{Name: string(rune('a' + i)), Addr: freeAddr(t), RouteAddr: freeAddr(t), StoreDir: t.TempDir()}}
		c.servers = append(c.servers, s)
		routes = append(routes, s.RouteAddr)
	}
	for _, s := range c.servers {
		s.Routes = routes
		s.start(t)
	}
	return c
}

// start starts the server, for the first time or after a kill, with the store that it left.
func (s *natsServer) start(t *testing.T) *process {
	t.Helper()
	config, err := json.Marshal(s.natsConfig)
	if err != nil {
		t.Fatal(err)
	}
	s.process = start(t, natsCommand, "WXTOKEN_TEST_PROCESS="+natsCommand, "WXTOKEN_TEST_NATS="+string(config))
	return s.process
}

func (c *natsCluster) restart(servers ...*natsServer) {
	for _, s := range servers {
		c.w.processes = append(c.w.processes, s.start(c.w.t))
	}
}

func (c *natsCluster) url() string {
	var urls []string
	for _, s := range c.servers {
		urls = append(urls, "nats://"+s.Addr)
	}
	return strings.Join(urls, ",")
}

// other is a server that isn't s.
func (c *natsCluster) other(s *natsServer) *natsServer {
	return c.servers[slices.IndexFunc(c.servers, func(o *natsServer) bool { return o != s })]
}

// awaitReady waits until JetStream takes requests.
func (c *natsCluster) awaitReady() {
	c.w.t.Helper()
	js, err := jetstream.New(c.watcher)
	if err != nil {
		c.w.t.Fatal(err)
	}
	await(c.w.t, "JetStream", func() bool {
		ctx, cancel := context.WithTimeout(c.w.t.Context(), time.Second)
		defer cancel()
		_, err := js.AccountInfo(ctx)
		return err == nil
	})
}

// leader waits until the stream of tokens has a leader.
func (c *natsCluster) leader() *natsServer {
	c.w.t.Helper()
	var found *natsServer
	await(c.w.t, "a leader of the tokens", func() bool {
		info, err := c.info(wire.DefaultNames().Stream())
		if err != nil {
			return false
		}
		i := slices.IndexFunc(c.servers, func(s *natsServer) bool { return s.Name == info.Leader })
		if i >= 0 {
			found = c.servers[i]
		}
		return i >= 0
	})
	return found
}

// awaitWhole waits until all servers hold all of the publishers' streams.
func (c *natsCluster) awaitWhole() {
	c.w.t.Helper()
	await(c.w.t, "all replicas", func() bool {
		for _, bucket := range []string{wire.DefaultBucket, wire.DefaultNames().OpsBucket()} {
			info, err := c.info(wire.Names{Bucket: bucket}.Stream())
			if err != nil || info.Leader == "" || len(info.Replicas) != len(c.servers)-1 {
				return false
			}
			if slices.ContainsFunc(info.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current || p.Offline }) {
				return false
			}
		}
		return true
	})
}

func (c *natsCluster) info(stream string) (*jetstream.ClusterInfo, error) {
	ctx, cancel := context.WithTimeout(c.w.t.Context(), time.Second)
	defer cancel()
	js, err := jetstream.New(c.watcher)
	if err != nil {
		return nil, err
	}
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	if s.CachedInfo().Cluster == nil {
		return nil, fmt.Errorf("stream %s is in no cluster", stream)
	}
	return s.CachedInfo().Cluster, nil
}
