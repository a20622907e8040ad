package natstest

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestClusterOutlivesTheLeaderOfAStream(t *testing.T) {
	c := StartCluster(t)
	js, err := jetstream.New(c.Connect())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "b", Replicas: 3}); err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "k", "v"); err != nil {
		t.Fatal(err)
	}
	c.WaitCurrent("KV_b")

	first := c.Leader("KV_b")
	first.Stop()
	if second := c.Leader("KV_b"); second == first {
		t.Error("a server that is down leads")
	}
	first.Resume()
	c.WaitCurrent("KV_b")
	c.Wait("the value", func() bool { _, err := kv.Get(t.Context(), "k"); return err == nil })
}
