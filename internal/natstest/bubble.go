package natstest

import (
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats-server/v2/server/ats"
	"github.com/nats-io/nats.go"
)

// Bubble runs test in a synctest bubble with a NATS server of its own, which is gone when test returns.
func Bubble(t *testing.T, test func(t *testing.T, s *Server)) {
	t.Helper()
	keepAccessTimeTicking()
	emptyTimerPools()
	defer emptyTimerPools() // a test in real time may be next
	storeDir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(letPollersSee) // the last, as the first that is registered
		s := &Server{t: t, storeDir: storeDir, options: server.Options{DontListen: true}}
		s.start()
		defer s.stop()
		test(t, s)
	})
}

// keepAccessTimeTicking starts the server's process-wide ticker outside of any bubble: within one, time would never
// advance past it.
var keepAccessTimeTicking = sync.OnceFunc(ats.Register)

// emptyTimerPools drops the timers that nats.go pooled, as one from a bubble is fatal elsewhere and the other way round. A
// sync.Pool survives one collection in its victim cache, so it takes two.
func emptyTimerPools() {
	runtime.GC()
	runtime.GC()
}

// letPollersSee gives nats.go's goroutines that look every 100 ms whether their connection was closed (a drained
// subscription's, say) the fake time to see it: in a bubble that has ended they would sleep for ever.
func letPollersSee() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// pipe lets nats.go reach whichever server is running now, so that connections survive a restart.
type pipe struct{ s *Server }

func (p pipe) InProcessConn() (net.Conn, error) {
	running := p.s.running()
	if running == nil {
		return nil, nats.ErrNoServers
	}
	return running.InProcessConn()
}
