package bus

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/wire"
)

func TestHistoryIsWhatTheKeyHeld(t *testing.T) {
	bubble(t, func(t *testing.T, _ *natstest.Server, nc *nats.Conn) {
		js := jetStream(t, nc)
		ensureBuckets(t, js, 1)
		kv := OpenKV(nc, js, wire.DefaultBucket)
		revision := uint64(0)
		put := func(key, value string) {
			t.Helper()
			var err error
			if revision, err = kv.Put(withDeadline(t), key, []byte(value), revision, 0); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 7 {
			put("a.b", fmt.Sprint(i))
		}
		last := revision
		revision = 0
		put("a.bc", "another key's")
		if _, err := kv.Delete(withDeadline(t), "a.b", last); err != nil {
			t.Fatal(err)
		}
		entries, err := kv.History(withDeadline(t), "a.b")
		if err != nil {
			t.Fatal(err)
		}
		// Five values are kept, and the deletion is one of them.
		for i, want := range []string{"3", "4", "5", "6"} {
			if i >= len(entries) || string(entries[i].Value) != want || entries[i].Revision != last-3+uint64(i) || entries[i].Stored.IsZero() || !entries[i].Exists {
				t.Fatalf("entries %+v", entries)
			}
		}
		if len(entries) != 4 {
			t.Errorf("%d entries", len(entries))
		}
		if entries, err := kv.History(withDeadline(t), "no.key"); err != nil || len(entries) != 0 {
			t.Errorf("no key: %v, %v", entries, err)
		}
		info, err := js.Stream(withDeadline(t), "KV_"+wire.DefaultBucket)
		if err != nil || info.CachedInfo().State.Consumers != 0 {
			t.Errorf("consumers: %+v, %v", info, err)
		}
	})
}

func TestHistoryWithoutABucket(t *testing.T) {
	bubble(t, func(t *testing.T, s *natstest.Server, nc *nats.Conn) {
		kv := OpenKV(nc, jetStream(t, nc), wire.DefaultBucket)
		if _, err := kv.History(withDeadline(t), "a.b"); !errors.Is(err, ErrNoBucket) {
			t.Errorf("no bucket: %v", err)
		}
		s.Stop()
		time.Sleep(time.Second)
		if _, err := kv.History(withDeadline(t), "a.b"); err == nil {
			t.Error("no NATS and no error")
		}
	})
}
