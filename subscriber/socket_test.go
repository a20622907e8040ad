package subscriber

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// The whole life of a source over real sockets, in real time, with a file store.
func TestOverSockets(t *testing.T) {
	leaveFakeTime()
	s := natstest.Start(t)
	w := newWorld(t, s)
	w.makeBucket()
	w.mint(time.Hour)
	nc := w.connect()
	src := w.open(nc)
	want(t, src, 1, nil)

	w.mint(time.Hour)
	awaitGeneration(t, src, 2)
	r := w.respond(func(request wire.Request, req micro.Request) {
		w.mint(time.Hour)
		w.reply(req, wire.Replaced)
	})
	old := want(t, src, 2, nil)
	if tok, err := src.Refresh(t.Context(), old); err != nil || tok.Generation != 3 {
		t.Errorf("Refresh = %v, %v", tok, err)
	}
	r.stop()

	s.Restart(true)
	eventually(t, "the publisher is connected again", func() bool { return w.nc.Stats().Reconnects > 0 && w.nc.IsConnected() })
	w.mint(time.Hour)
	awaitGeneration(t, src, 4)
	src.Close()
	if subs := nc.NumSubscriptions(); subs != 0 {
		t.Errorf("%d subscriptions left", subs)
	}
}

// eventually waits in real time until what happens.
func eventually(t *testing.T, what string, happens func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !happens(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// Packets vanish without any error, as behind a firewall that forgot the connection. nats.go's own pings are far apart
// here, so it is the source that must find out.
func TestHalfOpenConnection(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *natstest.Server) {
		w := newWorld(t, s)
		defer w.nc.Close()
		w.makeBucket()
		w.mint(2 * time.Hour)
		through := newTunnel(s)
		nc, err := nats.Connect("", append(NATSOptions(), nats.InProcessServer(through), nats.PingInterval(24*time.Hour))...)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		src := w.open(nc)
		defer src.Close()
		time.Sleep(time.Minute)
		through.swallow()
		w.mint(2 * time.Hour)
		settle()
		want(t, src, 1, nil)
		time.Sleep(checkEvery + 2*getTimeout + time.Second)
		want(t, src, 2, nil)
		if n := nc.Stats().Reconnects; n != 1 {
			t.Errorf("%d reconnects", n)
		}
	})
}

// JetStream doesn't answer, but the server does: the connection must not be cut.
func TestSlowJetStreamCutsNoConnection(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *natstest.Server) {
		w := newWorld(t, s)
		defer w.nc.Close()
		w.makeBucket()
		w.mint(2 * time.Hour)
		nc := w.connect()
		defer nc.Close()
		src := w.open(nc)
		defer src.Close()
		if err := w.js.DeleteKeyValue(t.Context(), "wx_token"); err != nil {
			t.Fatal(err)
		}
		mute, err := w.nc.Subscribe("$JS.API.DIRECT.GET.>", func(*nats.Msg) {}) // takes requests and answers none
		if err != nil {
			t.Fatal(err)
		}
		defer mute.Unsubscribe()
		time.Sleep(30 * time.Minute)
		want(t, src, 1, nil)
		if n := nc.Stats().Reconnects; n != 0 {
			t.Errorf("%d reconnects", n)
		}
		if err := src.Err(); err == nil {
			t.Error("Err() is nil while no get is answered")
		}
	})
}

// tunnel is a way to the server on which packets can be made to vanish, both ways, until the client dials again.
type tunnel struct {
	nats.InProcessConnProvider
	mu   sync.Mutex
	open []*tunnelConn
}

func newTunnel(s *natstest.Server) *tunnel {
	var o nats.Options
	for _, option := range s.Reach() {
		_ = option(&o)
	}
	return &tunnel{InProcessConnProvider: o.InProcessServer}
}

func (u *tunnel) InProcessConn() (net.Conn, error) {
	conn, err := u.InProcessConnProvider.InProcessConn()
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	c := &tunnelConn{Conn: conn, closed: make(chan struct{})}
	u.open = append(u.open, c)
	return c, nil
}

func (u *tunnel) swallow() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range u.open {
		c.dead.Store(true)
	}
}

type tunnelConn struct {
	net.Conn
	dead   atomic.Bool
	once   sync.Once
	closed chan struct{}
}

func (c *tunnelConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if !c.dead.Load() {
			return n, err
		}
		if err != nil { // not even the server's end of the connection gets through
			<-c.closed
			return 0, net.ErrClosed
		}
	}
}

func (c *tunnelConn) Write(p []byte) (int, error) {
	if c.dead.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *tunnelConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
