package bus

import (
	"reflect"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// The bucket of shared state is made as a stream. It must be the one that CreateKeyValue would make.
func TestTheOpsStreamIsABucket(t *testing.T) {
	bubble(t, func(t *testing.T, _ *natstest.Server, nc *nats.Conn) {
		js, ops := jetStream(t, nc), wire.DefaultNames().OpsBucket()
		ensureBuckets(t, js, 1)
		got := streamConfig(t, js, "KV_"+ops)
		_, err := js.CreateKeyValue(withDeadline(t), jetstream.KeyValueConfig{
			Bucket: "model", Description: got.Description, History: 1, Storage: jetstream.FileStorage, Replicas: 1, LimitMarkerTTL: markerTTL,
		})
		if err != nil {
			t.Fatal(err)
		}
		want := streamConfig(t, js, "KV_model")
		want.Name, want.Subjects, want.FirstSeq = got.Name, []string{"$KV." + ops + ".>"}, got.FirstSeq
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the stream is\n%+v, want\n%+v", got, want)
		}
		kv, err := js.KeyValue(withDeadline(t), ops)
		if err != nil {
			t.Fatal(err)
		}
		if status, err := kv.Status(withDeadline(t)); err != nil || status.History() != 1 || status.LimitMarkerTTL() != markerTTL {
			t.Errorf("its status is %v, %v", status, err)
		}
	})
}

// A revision of this bucket is the fence of a token, and of two tokens the one with the higher fence is the newer. In a
// bucket that was lost and made anew revisions began at 1 again, so a fresh token looked older than any before.
func TestRevisionsGoOnRisingWhenTheOpsBucketIsLost(t *testing.T) {
	bubble(t, func(t *testing.T, s *natstest.Server, nc *nats.Conn) {
		js := jetStream(t, nc)
		kv := OpenKV(nc, js, wire.DefaultNames().OpsBucket())
		var last uint64
		next := func(after string, expected uint64) {
			t.Helper()
			revision, err := kv.Put(withDeadline(t), "lease.wx1", []byte("{}"), expected, 15*time.Second)
			if err != nil || revision <= last {
				t.Fatalf("%s: revision %d after %d, %v", after, revision, last, err)
			}
			last = revision
		}
		ensureBuckets(t, js, 1)
		if info := streamConfig(t, js, "KV_"+wire.DefaultNames().OpsBucket()); info.FirstSeq != uint64(time.Now().UnixMilli()) {
			t.Errorf("the first revision is %d at %d", info.FirstSeq, time.Now().UnixMilli())
		}
		restart(t, s, nc, true) // still empty
		next("at first", 0)
		for range 1000 {
			next("a write", last)
		}
		restart(t, s, nc, true)
		next("after a restart", last)

		if err := js.DeleteKeyValue(withDeadline(t), wire.DefaultNames().OpsBucket()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		ensureBuckets(t, js, 1)
		if _, err := kv.Put(withDeadline(t), "lease.wx1", []byte("{}"), last, 15*time.Second); err == nil {
			t.Error("a revision of the lost bucket was taken for one of the new")
		}
		next("in a bucket made anew", 0)

		restart(t, s, nc, false)
		ensureBuckets(t, js, 1)
		next("with an empty store", 0)
	})
}

// restart returns when nc is connected to the restarted server. IsConnected alone wouldn't do: right after the restart it
// still speaks of the old connection, whose end nobody has read yet, and what is sent then is lost.
func restart(t *testing.T, s *natstest.Server, nc *nats.Conn, keepStore bool) {
	t.Helper()
	before := nc.Stats().Reconnects
	s.Restart(keepStore)
	wait(t, "the connection", func() bool { return nc.Stats().Reconnects > before })
}

// Over a real socket, with the command that operators use.
func TestTheNATSCommandKnowsTheOpsBucket(t *testing.T) {
	if !haveNATSCommand() {
		t.Skip(needNATSCommand)
	}
	s := natstest.Start(t)
	ensureBuckets(t, jetStream(t, s.Connect()), 1)
	for _, command := range []string{"nats kv info wx_token_ops", "nats kv put wx_token_ops a b", "nats kv get wx_token_ops a", "nats kv edit wx_token_ops --max-value-size=-1"} {
		paste(t, s.URL(), command)
	}
}
