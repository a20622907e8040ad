package natstest

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestBubbleRunsJetStreamInFakeTime(t *testing.T) {
	for range 2 { // a second bubble fails if the first one leaves a timer in nats.go's pool
		Bubble(t, func(t *testing.T, s *Server) {
			nc := s.Connect()
			js, err := jetstream.New(nc)
			if err != nil {
				t.Fatal(err)
			}
			kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "b"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := kv.PutString(t.Context(), "k", "v"); err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			time.Sleep(24 * time.Hour)
			if _, err := kv.Get(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
			if slept := time.Since(started); slept < 24*time.Hour {
				t.Errorf("slept %v in fake time", slept)
			}
		})
	}
}

func TestRestartInBubble(t *testing.T) {
	for _, keep := range []bool{true, false} {
		Bubble(t, func(t *testing.T, s *Server) {
			nc := s.Connect(nats.MaxReconnects(-1))
			js, _ := jetstream.New(nc)
			if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "b"}); err != nil {
				t.Fatal(err)
			}
			s.Restart(keep)
			time.Sleep(10 * time.Second)
			_, err := js.KeyValue(t.Context(), "b")
			if found := err == nil; found != keep {
				t.Errorf("restart with store kept %v: bucket found %v (%v)", keep, found, err)
			}
		})
	}
}

func TestStartListensAndRestarts(t *testing.T) {
	s := Start(t)
	before := s.URL()
	s.Restart(true)
	if after := s.URL(); after != before {
		t.Errorf("URL changed from %s to %s", before, after)
	}
	if nc := s.Connect(); !nc.IsConnected() {
		t.Error("not connected")
	}
}

func TestLinkIsCutAndHeldUp(t *testing.T) {
	Bubble(t, func(t *testing.T, s *Server) {
		link := s.Link()
		nc, err := nats.Connect("", append(link.Options(), nats.MaxReconnects(-1), nats.ReconnectWait(time.Second))...)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		flush := func() error { return nc.FlushTimeout(10 * time.Second) }
		if err := flush(); err != nil {
			t.Fatalf("at first: %v", err)
		}
		time.Sleep(time.Second)
		link.Hold()
		if err := flush(); err == nil {
			t.Error("a held link answers")
		}
		link.Release()
		if err := flush(); err != nil {
			t.Errorf("released: %v", err)
		}
		link.Cut()
		time.Sleep(5 * time.Second)
		if nc.IsConnected() {
			t.Error("connected over a cut link")
		}
		link.Heal()
		time.Sleep(5 * time.Second)
		if err := flush(); err != nil {
			t.Errorf("healed: %v", err)
		}
	})
}

// A test of the subscriber package ended while nats.go slept between two looks at a draining subscription, and the bubble
// called that a deadlock.
func TestABubbleEndsWhileSubscriptionsDrain(t *testing.T) {
	Bubble(t, func(t *testing.T, s *Server) {
		nc := s.Connect()
		sub, err := nc.SubscribeSync("work")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(nc.Publish("work", nil), nc.Flush(), sub.Drain()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	})
}
