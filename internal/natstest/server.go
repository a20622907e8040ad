package natstest

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Server is a NATS server with JetStream on a file store of its own.
type Server struct {
	t        testing.TB
	storeDir string
	options  server.Options

	mu  sync.Mutex
	now *server.Server // nil while it is down
}

// Start runs a server on a free loopback port, in real time, until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	emptyTimerPools() // a timer of an older bubble is fatal outside of bubbles too
	s := &Server{t: t, storeDir: t.TempDir(), options: server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT}}
	s.start()
	t.Cleanup(s.stop)
	return s
}

// URL is where a server made by Start listens. It stays the same across restarts.
func (s *Server) URL() string { return s.running().ClientURL() }

// Connect opens a connection that is closed when the test ends, or before that by the caller. Where the server doesn't
// listen, the connection is a pipe within the process.
func (s *Server) Connect(options ...nats.Option) *nats.Conn {
	s.t.Helper()
	nc, err := nats.Connect(s.address(), append(s.Reach(), options...)...)
	if err != nil {
		s.t.Fatalf("connect to the test server: %v", err)
	}
	s.t.Cleanup(nc.Close)
	return nc
}

// Reach are the options with which a connection to no URL finds a server that doesn't listen.
func (s *Server) Reach() []nats.Option {
	if s.options.DontListen {
		return []nats.Option{nats.InProcessServer(pipe{s})}
	}
	return nil
}

func (s *Server) address() string {
	if s.options.DontListen {
		return ""
	}
	return s.URL()
}

// Stop takes the server down, as a restart of its machine would.
func (s *Server) Stop() { s.stop() }

// Restart takes the server down and up again, with its store or with an empty one.
func (s *Server) Restart(keepStore bool) {
	s.t.Helper()
	s.stop()
	if !keepStore {
		if err := os.RemoveAll(s.storeDir); err != nil {
			s.t.Fatalf("empty the store: %v", err)
		}
	}
	s.start()
}

// Resume starts a server that Stop took down.
func (s *Server) Resume() { s.start() }

// NumSubscriptions counts the subscriptions on the server, those of its own included.
func (s *Server) NumSubscriptions() int { return int(s.running().NumSubscriptions()) }

func (s *Server) start() {
	s.t.Helper()
	options := s.options // the server changes what it is given
	options.JetStream = true
	options.StoreDir = s.storeDir
	options.NoLog = true
	options.NoSigs = true
	started, err := server.NewServer(&options)
	if err != nil {
		s.t.Fatalf("make the test server: %v", err)
	}
	started.Start()
	if !s.options.DontListen && !started.ReadyForConnections(10*time.Second) {
		s.t.Fatal("the test server doesn't get ready")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = started
	s.options.Port = options.Port
}

func (s *Server) stop() {
	s.mu.Lock()
	stopping := s.now
	s.now = nil
	s.mu.Unlock()
	if stopping != nil {
		stopping.Shutdown()
		stopping.WaitForShutdown()
	}
}

func (s *Server) running() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}
