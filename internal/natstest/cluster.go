package natstest

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// clusterWait is how long elections and the like may take on a machine that is busy.
const clusterWait = 30 * time.Second

// Cluster is three NATS servers on loopback, in real time, whose JetStream replicates.
type Cluster struct {
	t       *testing.T
	Servers []*Server
}

// StartCluster runs a cluster until the test ends. It returns when JetStream takes requests.
func StartCluster(t *testing.T) *Cluster {
	t.Helper()
	ports := freePorts(t, 3)
	var routes []*url.URL
	for _, port := range ports {
		routes = append(routes, &url.URL{Scheme: "nats", Host: port.String()})
	}
	c := &Cluster{t: t}
	for i, port := range ports {
		s := &Server{t: t, storeDir: t.TempDir(), options: server.Options{
			ServerName: string(rune('a' + i)),
			Host:       "127.0.0.1",
			Port:       server.RANDOM_PORT,
			Cluster:    server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port.Port},
			Routes:     slices.Clone(routes),
		}}
		c.Servers = append(c.Servers, s)
		s.start()
		t.Cleanup(s.stop)
	}
	c.Wait("all servers being known to a leader", func() bool {
		return slices.ContainsFunc(c.Servers, func(s *Server) bool {
			running := s.running()
			return running.JetStreamIsLeader() && len(running.JetStreamClusterPeers()) == len(c.Servers)
		})
	})
	return c
}

// freePorts finds ports for servers that must know one another's before they start.
func freePorts(t *testing.T, n int) []*net.TCPAddr {
	t.Helper()
	var addrs []*net.TCPAddr
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("find a free port: %v", err)
		}
		defer func() { _ = l.Close() }() // at the end, so that no port is found twice
		addrs = append(addrs, l.Addr().(*net.TCPAddr))
	}
	return addrs
}

// URL names the servers that are up, for a client that seeks any of them.
func (c *Cluster) URL() string {
	var urls []string
	for _, s := range c.Servers {
		if s.running() != nil {
			urls = append(urls, s.URL())
		}
	}
	return strings.Join(urls, ",")
}

// Connect opens a connection to any of the servers. It is closed when the test ends, or before that by the caller.
func (c *Cluster) Connect(options ...nats.Option) *nats.Conn {
	c.t.Helper()
	nc, err := nats.Connect(c.URL(), options...)
	if err != nil {
		c.t.Fatalf("connect to the test cluster: %v", err)
	}
	c.t.Cleanup(nc.Close)
	return nc
}

// Leader waits until a stream of the global account has a leader and returns that server. Stop takes it down in an
// orderly way: it hands the leadership over.
func (c *Cluster) Leader(stream string) *Server {
	c.t.Helper()
	var leader *Server
	c.Wait("a leader of stream "+stream, func() bool {
		leader = nil
		for _, s := range c.Servers {
			if running := s.running(); running != nil && running.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, stream) {
				leader = s
			}
		}
		return leader != nil
	})
	return leader
}

// WaitCurrent waits until every server that is up holds all of the stream.
func (c *Cluster) WaitCurrent(stream string) {
	c.t.Helper()
	c.Wait("all replicas of stream "+stream, func() bool {
		return !slices.ContainsFunc(c.Servers, func(s *Server) bool {
			running := s.running()
			return running != nil && !running.JetStreamIsStreamCurrent(server.DEFAULT_GLOBAL_ACCOUNT, stream)
		})
	})
}

// Wait polls until the condition holds, and fails the test if it doesn't in good time.
func (c *Cluster) Wait(what string, holds func() bool) {
	c.t.Helper()
	for end := time.Now().Add(clusterWait); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("waited %v in vain for %s", clusterWait, what)
		}
	}
}
