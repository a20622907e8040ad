package natstest

import (
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Link is one client's way to a server that doesn't listen. It can be cut, and held up.
type Link struct {
	s *Server

	mu       sync.Mutex
	cut      bool
	held     bool
	released chan struct{} // closed when a hold ends
	conns    map[*linkConn]bool
}

// Link makes a way to the server of its own for one client.
func (s *Server) Link() *Link {
	return &Link{s: s, conns: make(map[*linkConn]bool)}
}

// Options are those with which a connection to no URL takes this way.
func (l *Link) Options() []nats.Option { return []nats.Option{nats.InProcessServer(l)} }

// InProcessConn is part of nats.InProcessConnProvider.
func (l *Link) InProcessConn() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	running := l.s.running()
	if running == nil || l.cut || l.held {
		return nil, nats.ErrNoServers
	}
	inner, err := running.InProcessConn()
	if err != nil {
		return nil, err
	}
	c := &linkConn{Conn: inner, link: l, began: time.Now(), closed: make(chan struct{})}
	l.conns[c] = true
	return c, nil
}

// Cut ends what is connected, and refuses to connect until Heal.
func (l *Link) Cut() {
	l.mu.Lock()
	l.cut = true
	ending := make([]*linkConn, 0, len(l.conns))
	for c := range l.conns {
		ending = append(ending, c)
	}
	l.mu.Unlock()
	for _, c := range ending {
		_ = c.Close() // it is a pipe
	}
}

// Heal undoes Cut.
func (l *Link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
}

// Hold lets nothing pass, in either direction, until Release: so does a process that is stopped.
func (l *Link) Hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.held {
		l.held, l.released = true, make(chan struct{})
	}
}

// Release undoes Hold. What was held up passes now.
func (l *Link) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.held {
		return
	}
	l.held = false
	close(l.released)
	for c := range l.conns {
		if len(c.pending) > 0 {
			_, _ = c.Conn.Write(c.pending) // the server reads all the time; if it is gone, so is what was held up
			c.pending = nil
		}
	}
}

// linkConn is a connection over a link. Its Write never waits, because nats.go calls it under a lock, and a lock that is
// waited for stops a bubble's time.
type linkConn struct {
	net.Conn
	link    *Link
	began   time.Time
	closed  chan struct{}
	pending []byte // written while the link was held; guarded by link.mu
	closing sync.Once
}

// Read passes on what a handshake brings, which happens in the instant that the connection is made in, even if the link
// is held in that instant: nats.go reads that under its lock.
func (c *linkConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if time.Since(c.began) > 0 {
		c.link.await(c.closed)
	}
	return n, err
}

func (l *Link) await(closed <-chan struct{}) {
	l.mu.Lock()
	held, released := l.held, l.released
	l.mu.Unlock()
	if !held {
		return
	}
	select {
	case <-released:
	case <-closed:
	}
}

func (c *linkConn) Write(b []byte) (int, error) {
	c.link.mu.Lock()
	if c.link.held && time.Since(c.began) > 0 {
		c.pending = append(c.pending, b...)
		c.link.mu.Unlock()
		return len(b), nil
	}
	c.link.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *linkConn) Close() error {
	c.closing.Do(func() {
		close(c.closed)
		c.link.mu.Lock()
		defer c.link.mu.Unlock()
		delete(c.link.conns, c)
	})
	return c.Conn.Close()
}
