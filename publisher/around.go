package publisher

import (
	"context"
	"net/url"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Surroundings are what a publisher lives among, as far as it can see.
type Surroundings struct {
	Peers   []Peer // that live and work on the same bucket, itself among them
	Server  Server
	Buckets []Bucket
}

// Server is the NATS server that the publisher is connected to. Its zero value is none.
type Server struct {
	Name     string
	URL      string // without login; "" of one in the same process
	Version  string
	Cluster  string
	Others   []string      // URLs of those that the connection may change to
	RTT      time.Duration // 0 = it didn't answer
	Embedded bool          // it runs in the same process
}

// Bucket is how JetStream keeps a bucket.
type Bucket struct {
	Name     string
	Leader   string // "" = it has none, or needs none
	Replicas int    // that it should have
	Current  int    // of them are up to date
	Behind   []string
	Err      error // why the rest is not known
}

// Well tells whether the bucket has all of its replicas.
func (b Bucket) Well() bool { return b.Err == nil && b.Current >= b.Replicas }

// aroundTimeout is how long Surroundings takes at most.
const aroundTimeout = time.Second

// Surroundings asks NATS and the other publishers, within about a second.
func (p *Publisher) Surroundings(ctx context.Context) Surroundings {
	ctx, cancel := context.WithTimeout(ctx, aroundTimeout)
	defer cancel()
	names := []string{p.cfg.Names.Bucket, p.cfg.Names.OpsBucket()}
	s := Surroundings{Buckets: make([]Bucket, len(names))}
	var asking sync.WaitGroup
	asking.Go(func() { s.Peers = p.peers(ctx) })
	asking.Go(func() { s.Server = p.server(ctx) })
	for i, name := range names {
		asking.Go(func() { s.Buckets[i] = p.bucket(ctx, name) })
	}
	asking.Wait()
	return s
}

func (p *Publisher) server(ctx context.Context) Server {
	nc := p.cfg.Conn
	if !nc.IsConnected() {
		return Server{}
	}
	s := Server{
		Name: nc.ConnectedServerName(), URL: withoutLogin(nc.ConnectedUrl()), Version: nc.ConnectedServerVersion(), Cluster: nc.ConnectedClusterName(),
		Embedded: nc.Opts.InProcessServer != nil,
	}
	began := time.Now()
	if nc.FlushWithContext(ctx) == nil {
		s.RTT = max(time.Since(began), 1)
	}
	if s.Embedded {
		s.URL = ""
		return s
	}
	for _, other := range nc.Servers() {
		if other != s.URL {
			s.Others = append(s.Others, other)
		}
	}
	return s
}

// withoutLogin leaves nothing of a login: a token stands where others have a user name, which Redacted doesn't hide.
func withoutLogin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func (p *Publisher) bucket(ctx context.Context, name string) Bucket {
	stream, err := p.js.Stream(ctx, "KV_"+name)
	if err != nil {
		return Bucket{Name: name, Err: err}
	}
	return bucketOf(name, stream.CachedInfo())
}

// bucketOf reads what a stream's leader says of its replicas. Outside of clusters it says nothing.
func bucketOf(name string, info *jetstream.StreamInfo) Bucket {
	b := Bucket{Name: name, Replicas: max(info.Config.Replicas, 1), Current: 1} // the one that answers
	if info.Cluster == nil {
		return b
	}
	b.Leader = info.Cluster.Leader
	for _, r := range info.Cluster.Replicas {
		if r.Current && !r.Offline {
			b.Current++
		} else {
			b.Behind = append(b.Behind, r.Name)
		}
	}
	return b
}
