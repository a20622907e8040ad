package bus

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/wire"
)

func TestACluster(t *testing.T) {
	c := natstest.StartCluster(t)
	nc, err := Connect(Login{URL: c.URL()}, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js := jetStream(t, nc)

	publishersStartTogether(t, c)
	for _, stream := range []string{"KV_wx_token", "KV_wx_token_ops"} {
		if got := streamConfig(t, js, stream).Replicas; got != 3 {
			t.Errorf("%s has %d replicas", stream, got)
		}
		c.WaitCurrent(stream)
	}
	ensureBuckets(t, js, 1) // more replicas than wanted are no difference
	fewerReplicasAreMended(t, c, nc)
	writesGoOnWithoutTheLeader(t, c, nc)
}

func publishersStartTogether(t *testing.T, c *natstest.Cluster) {
	var created [3]time.Time
	var all sync.WaitGroup
	for i, s := range c.Servers {
		js := jetStream(t, s.Connect())
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var err error
			if created[i], err = EnsureBuckets(ctx, js, wire.DefaultNames(), 3); err != nil {
				t.Errorf("publisher at server %d: %v", i, err)
			}
		})
	}
	all.Wait()
	for i := range created {
		if created[i].IsZero() || !created[i].Equal(created[0]) {
			t.Errorf("publisher %d sees a bucket of %v, publisher 0 one of %v", i, created[i], created[0])
		}
	}
}

func fewerReplicasAreMended(t *testing.T, c *natstest.Cluster, nc *nats.Conn) {
	js, names := jetStream(t, nc), wire.Names{Bucket: "small", Prefix: "small"}
	if _, err := EnsureBuckets(withDeadline(t), js, names, 1); err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{names.Bucket, names.OpsBucket()} {
		_, err := EnsureBuckets(withDeadline(t), js, names, 3)
		wrong, ok := errors.AsType[*BucketError](err)
		if !ok || wrong.Bucket != bucket || len(wrong.Differences) != 1 || !strings.Contains(err.Error(), "1 replicas, want 3 (WX_REPLICAS)") {
			t.Fatalf("EnsureBuckets = %v, want 3 replicas of %s", err, bucket)
		}
		if !haveNATSCommand() {
			t.Log("not mended: " + needNATSCommand)
			return
		}
		paste(t, c.Servers[0].URL(), command.FindStringSubmatch(wrong.Differences[0])[1])
	}
	if _, err := EnsureBuckets(withDeadline(t), js, names, 3); err != nil {
		t.Error(err)
	}
}

func writesGoOnWithoutTheLeader(t *testing.T, c *natstest.Cluster, nc *nats.Conn) {
	kv := OpenKV(nc, jetStream(t, nc), wire.DefaultBucket)
	revision := put(t, kv, "one", 0, 0)
	leader := c.Leader("KV_wx_token")
	leader.Stop()
	defer leader.Resume()
	wait(t, "the next leader to take a write", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		next, err := kv.Put(ctx, key, []byte("two"), revision, 0)
		if errors.Is(err, ErrConflict) { // an attempt that failed came through all the same
			next = latest(t, kv, key).Revision
		} else if err != nil {
			return false
		}
		revision = next
		return true
	})
	if e := latest(t, kv, key); string(e.Value) != "two" || e.Revision != revision {
		t.Errorf("Latest = %+v, want revision %d", e, revision)
	}
}
