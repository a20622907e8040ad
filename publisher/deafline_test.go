package publisher_test

import (
	"bytes"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// deafLine is a publisher's connection on which nothing comes back for a second, once, after something was sent on the
// subject.
func (w *world) deafLine(subject string) nats.Option {
	var reach nats.Options
	for _, option := range w.nats.Reach() {
		w.must(option(&reach))
	}
	return nats.InProcessServer(&deafLine{reach.InProcessServer, "PUB " + subject})
}

type deafLine struct {
	nats.InProcessConnProvider
	trigger string
}

func (l *deafLine) InProcessConn() (net.Conn, error) {
	conn, err := l.InProcessConnProvider.InProcessConn()
	if err != nil {
		return nil, err
	}
	return &deafConn{Conn: conn, trigger: l.trigger}, nil
}

type deafConn struct {
	net.Conn
	trigger string

	mu    sync.Mutex
	until time.Time
}

func (c *deafConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if c.until.IsZero() && bytes.Contains(b, []byte(c.trigger)) {
		c.until = time.Now().Add(time.Second)
	}
	c.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *deafConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		c.mu.Lock()
		deaf := time.Now().Before(c.until)
		c.mu.Unlock()
		if err != nil || !deaf {
			return n, err
		}
	}
}
