package bus

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/logtest"
	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/wire"
)

const patience = 10 * time.Second

// wait polls until the condition holds, and fails the test if it doesn't in good time.
func wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}

// withDeadline is a context for one call to NATS.
func withDeadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func jetStream(t *testing.T, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func ensureBuckets(t *testing.T, js jetstream.JetStream, replicas int) time.Time {
	t.Helper()
	created, err := EnsureBuckets(withDeadline(t), js, wire.DefaultNames(), replicas)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

func streamConfig(t *testing.T, js jetstream.JetStream, stream string) jetstream.StreamConfig {
	t.Helper()
	s, err := js.Stream(withDeadline(t), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config
}

// logger keeps what is logged in out.
func logger(out *logtest.Output) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// bubble runs test in fake time with buckets and a connection as publishers have it.
func bubble(t *testing.T, test func(t *testing.T, s *natstest.Server, nc *nats.Conn)) {
	t.Helper()
	natstest.Bubble(t, func(t *testing.T, s *natstest.Server) {
		nc, err := Connect(Login{}, "test", nil, s.Reach()...)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		test(t, s, nc)
	})
}
