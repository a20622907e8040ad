package publisher_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/logtest"
	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/publisher"
)

func TestSurroundingsAreWhoLivesAndHowNATSIs(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		stop := w.start(w.named("host-b/2", wechat.StableToken))
		p, nc := w.make(w.config(wechat.StableToken), w.nats.Reach()...)
		w.run(p, nc)
		other := w.named("host-c/3", wechat.StableToken)
		other.Names.Bucket, other.Names.Prefix = "other", "other"
		w.start(other)
		w.value(anyValue)
		w.ask("wx.token.refresh", "{") // somebody is asked
		s := p.Surroundings(t.Context())
		if len(s.Peers) != 2 || s.Peers[0].Publisher != "host-a/1" || !s.Peers[0].Self || s.Peers[1].Publisher != "host-b/2" || s.Peers[1].Self {
			t.Fatalf("peers %+v", s.Peers)
		}
		if a, b := s.Peers[0], s.Peers[1]; a.Version != "0.0.0" || a.Started.IsZero() || a.Requests+b.Requests != 1 {
			t.Errorf("peers %+v", s.Peers)
		}
		if s.Server.Name == "" || s.Server.Version == "" || !s.Server.Embedded || s.Server.URL != "" || s.Server.RTT <= 0 {
			t.Errorf("server %+v", s.Server)
		}
		for i, name := range []string{names.Bucket, names.OpsBucket()} {
			if b := s.Buckets[i]; b.Name != name || !b.Well() || b.Replicas != 1 || b.Current != 1 {
				t.Errorf("bucket %+v", b)
			}
		}
		stop()
		if s := p.Surroundings(t.Context()); len(s.Peers) != 1 {
			t.Errorf("one has stopped: %+v", s.Peers)
		}
	})
}

func TestSurroundingsWithoutNATS(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		p, nc := w.make(w.config(wechat.StableToken), w.nats.Reach()...)
		w.run(p, nc)
		w.value(anyValue)
		w.nats.Stop()
		time.Sleep(time.Second)
		began := time.Now()
		s := p.Surroundings(t.Context())
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		if len(s.Peers) != 0 || s.Server.Name != "" || s.Buckets[0].Well() || s.Buckets[0].Err == nil {
			t.Errorf("%+v", s)
		}
		w.nats.Resume()
	})
}

// Anybody on the bus may answer discovery, and say anything.
func TestAnswersOfStrangersDoNoHarm(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		p, nc := w.make(w.config(wechat.StableToken), w.nats.Reach()...)
		w.run(p, nc)
		w.value(anyValue)
		subject, err := micro.ControlSubject(micro.StatsVerb, "wx-token", "")
		w.must(err)
		_, err = w.nc.Subscribe(subject, func(msg *nats.Msg) {
			for _, answer := range []string{
				"", "{", `{"name":"wx-token"}`, `{"name":"other","metadata":{"bucket":"wx_token"}}`,
				`{"name":"wx-token","metadata":{"bucket":"wx_token"},"endpoints":[null]}`,
			} {
				if err := msg.Respond([]byte(answer)); err != nil {
					t.Error(err)
				}
			}
			for range 10_000 {
				_ = msg.Respond([]byte(`{"name":"wx-token","metadata":{"bucket":"wx_token","publisher":"z"}}`))
			}
		})
		w.must(err)
		w.must(w.nc.Flush())
		if peers := p.Surroundings(t.Context()).Peers; len(peers) != 100 {
			t.Errorf("%d peers", len(peers))
		}
	})
}

func TestSurroundingsInACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a cluster")
	}
	c := natstest.StartCluster(t)
	w := &world{t: t, sim: newSim(t), out: &logtest.Output{}}
	w.login = bus.Login{URL: c.URL()}
	cfg := w.config(wechat.StableToken)
	cfg.Replicas = 3
	p, nc := w.make(cfg)
	w.run(p, nc)
	well := func() bool {
		s := p.Surroundings(t.Context())
		return s.Buckets[0].Well() && s.Buckets[1].Well() && s.Buckets[0].Leader != "" && len(s.Peers) == 1
	}
	c.Wait("all replicas", well)
	s := p.Surroundings(t.Context())
	if s.Server.Cluster != "test" || len(s.Server.Others) < 2 || s.Server.URL == "" || s.Server.Embedded || s.Buckets[0].Current != 3 {
		t.Errorf("%+v", s)
	}
	behind := c.Leader("KV_" + names.Bucket)
	behind.Stop()
	c.Wait("a replica missing", func() bool {
		b := p.Surroundings(t.Context()).Buckets[0]
		return b.Err == nil && b.Leader != "" && len(b.Behind) == 1 && b.Current == 2 && !b.Well()
	})
	behind.Resume()
	c.Wait("all replicas again", well)
}

func newSim(t *testing.T) *wxsim.Server {
	t.Helper()
	sim, err := wxsim.New(wxsim.Options{Accounts: []wxsim.Account{{AppID: appid, Secret: appSecret}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	return sim
}

func TestABucketThatIsNotKnownIsNotWell(t *testing.T) {
	for _, c := range []struct {
		bucket publisher.Bucket
		want   bool
	}{
		{publisher.Bucket{Replicas: 1, Current: 1}, true},
		{publisher.Bucket{Replicas: 3, Current: 2}, false},
		{publisher.Bucket{Err: errors.New("gone")}, false},
	} {
		if c.bucket.Well() != c.want {
			t.Errorf("%+v", c.bucket)
		}
	}
}
