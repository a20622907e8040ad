package bus

import (
	"net"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/natstest"
)

// halfOpen is a connection to a server in fake time whose link can be made to swallow what we send. A link that is made
// after that is good again.
type halfOpen struct {
	nc     *nats.Conn
	server nats.InProcessConnProvider
	link   atomic.Pointer[link]
}

func newHalfOpen(t *testing.T, s *natstest.Server) *halfOpen {
	t.Helper()
	var reach nats.Options
	if err := s.Reach()[0](&reach); err != nil {
		t.Fatal(err)
	}
	h := &halfOpen{server: reach.InProcessServer}
	nc, err := Connect(Login{}, "test", nil, nats.InProcessServer(h))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	h.nc = nc
	return h
}

// InProcessConn is called by nats.go for each link.
func (h *halfOpen) InProcessConn() (net.Conn, error) {
	conn, err := h.server.InProcessConn()
	l := &link{Conn: conn}
	h.link.Store(l)
	return l, err
}

func (h *halfOpen) swallow() { h.link.Load().silent.Store(true) }

type link struct {
	net.Conn
	silent atomic.Bool
}

func (l *link) Write(p []byte) (int, error) {
	if l.silent.Load() {
		return len(p), nil
	}
	return l.Conn.Write(p)
}
