package subscriber

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// Without two of three servers there is no leader: nothing can be stored, but read.
func TestFaultTwoOfThreeServersDown(t *testing.T) {
	leaveFakeTime()
	c := natstest.StartCluster(t)
	nc := c.Connect(NATSOptions()...)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	config := bucketConfig()
	config.Replicas = 3
	kv, err := js.CreateKeyValue(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	data, _ := token(1, time.Hour).Encode()
	if _, err := kv.Put(t.Context(), wire.Key(appid, wire.KindAccessToken), data); err != nil {
		t.Fatal(err)
	}
	c.WaitCurrent("KV_wx_token")
	var early []*Source
	for name, open := range ways {
		src, stop, err := open(t.Context(), c.Connect(NATSOptions()...))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer stop()
		early = append(early, src)
	}
	c.Servers[0].Stop()
	c.Servers[1].Stop()
	for name, open := range ways {
		src, stop, err := open(t.Context(), c.Connect(NATSOptions()...))
		if err != nil {
			t.Fatalf("%s, with one of three servers: %v", name, err)
		}
		defer stop()
		early = append(early, src)
	}
	for _, src := range early {
		want(t, src, 1, nil)
	}
	c.Servers[0].Resume()
	c.Servers[1].Resume()
	data, _ = token(2, time.Hour).Encode()
	eventually(t, "the next token is stored", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := kv.Put(ctx, wire.Key(appid, wire.KindAccessToken), data)
		return err == nil
	})
	for _, src := range early {
		awaitGeneration(t, src, 2)
	}
}
