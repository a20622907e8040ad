package subscribertest

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/subscriber"
)

// New starts a Double for the account appid, until the test ends. Its source holds the token "token-1", good for 2 h.
// The options are those of Source, e.g. subscriber.WithAPIHosts; the names of bucket and subjects must be the default
// ones.
func New(t testing.TB, appid string, opts ...subscriber.Option) *Double {
	t.Helper()
	if time.Now().Year() == yearOfBubbles {
		t.Fatal("subscribertest: this is a testing/synctest bubble: use Bubble in the place of synctest.Test")
	}
	running := startServer(t)
	nc, err := nats.Connect("", append(connecting(), nats.InProcessServer(running))...)
	must(t, "connect", err)
	t.Cleanup(nc.Close)
	return start(t, nc, appid, opts)
}

// yearOfBubbles is when the fake time of testing/synctest begins.
const yearOfBubbles = 2000

// Bubble is synctest.Test for a test with a Double: server, source and test live in one bubble, so time passes when all
// of them wait. Connections that the test opens itself must be closed within it. Such tests must not run in parallel.
func Bubble(t *testing.T, appid string, test func(t *testing.T, d *Double), opts ...subscriber.Option) {
	t.Helper()
	natstest.Bubble(t, func(t *testing.T, s *natstest.Server) {
		d := start(t, s.Connect(connecting()...), appid, opts)
		defer d.end() // before the server does
		test(t, d)
	})
}

// connecting are the options of the connection. By default nats.go writes to the test's output that a pipe was closed.
func connecting() []nats.Option {
	return append(subscriber.NATSOptions(), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
}

func startServer(t testing.TB) *server.Server {
	t.Helper()
	started, err := server.NewServer(&server.Options{
		DontListen: true,
		JetStream:  true,
		StoreDir:   t.TempDir(),
		NoLog:      true,
		NoSigs:     true,
	})
	must(t, "make the NATS server", err)
	started.Start()
	t.Cleanup(func() {
		started.Shutdown()
		started.WaitForShutdown()
	})
	return started
}
