package bus

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/wire"
)

const key = "wx1.access_token"

// inBubble runs test in fake time with the two buckets.
func inBubble(t *testing.T, test func(t *testing.T, tokens, ops *KV)) {
	t.Helper()
	bubble(t, func(t *testing.T, _ *natstest.Server, nc *nats.Conn) {
		js := jetStream(t, nc)
		ensureBuckets(t, js, 1)
		test(t, OpenKV(nc, js, wire.DefaultBucket), OpenKV(nc, js, wire.DefaultNames().OpsBucket()))
	})
}

func latest(t *testing.T, kv *KV, key string) Entry {
	t.Helper()
	e, err := kv.Latest(withDeadline(t), key)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func put(t *testing.T, kv *KV, value string, expected uint64, ttl time.Duration) uint64 {
	t.Helper()
	revision, err := kv.Put(withDeadline(t), key, []byte(value), expected, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func mustConflict(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, ErrConflict) {
		t.Errorf("%s: %v, want ErrConflict", what, err)
	}
}

func TestAnAbsentKeyIsNoError(t *testing.T) {
	inBubble(t, func(t *testing.T, tokens, _ *KV) {
		if e := latest(t, tokens, key); e.Exists || e.Revision != 0 || e.Value != nil {
			t.Errorf("Latest of a key that never was = %+v", e)
		}
	})
}

func TestWhatIsPutIsRead(t *testing.T) {
	inBubble(t, func(t *testing.T, tokens, _ *KV) {
		time.Sleep(time.Hour)
		first := put(t, tokens, "one", 0, 0)
		at := time.Now()
		second := put(t, tokens, "two\x00\xff", first, 0)
		time.Sleep(time.Hour)
		e := latest(t, tokens, key)
		if string(e.Value) != "two\x00\xff" || e.Revision != second || second <= first || !e.Exists {
			t.Errorf("Latest = %+v, want revision %d", e, second)
		}
		if e.Stored.Before(at) || e.Stored.After(at.Add(time.Minute)) {
			t.Errorf("stored at %v, was put at %v", e.Stored, at)
		}
		empty := put(t, tokens, "", second, 0)
		if e := latest(t, tokens, key); !e.Exists || e.Revision != empty || len(e.Value) != 0 {
			t.Errorf("Latest of an empty value = %+v", e)
		}
	})
}

func TestOnlyTheExpectedRevisionIsReplaced(t *testing.T) {
	inBubble(t, func(t *testing.T, tokens, _ *KV) {
		ctx := withDeadline(t)
		_, err := tokens.Put(ctx, key, nil, 7, 0)
		mustConflict(t, "put over a revision that never was", err)
		first := put(t, tokens, "one", 0, 0)
		_, err = tokens.Put(ctx, key, nil, 0, 0)
		mustConflict(t, "put of a new key that exists", err)
		second := put(t, tokens, "two", first, 0)
		_, err = tokens.Put(ctx, key, nil, first, 0)
		mustConflict(t, "put over an old revision", err)
		_, err = tokens.Delete(ctx, key, first)
		mustConflict(t, "delete of an old revision", err)
		if e := latest(t, tokens, key); string(e.Value) != "two" || e.Revision != second {
			t.Errorf("after refused writes Latest = %+v", e)
		}
		if _, err := tokens.Put(ctx, "wx2.access_token", []byte("other"), 0, 0); err != nil {
			t.Errorf("another key is in the way: %v", err)
		}
	})
}

func TestADeletedKeyHasItsMarkersRevision(t *testing.T) {
	inBubble(t, func(t *testing.T, tokens, _ *KV) {
		first := put(t, tokens, "one", 0, 0)
		marker, err := tokens.Delete(withDeadline(t), key, first)
		if err != nil {
			t.Fatal(err)
		}
		if e := latest(t, tokens, key); e.Exists || e.Revision != marker || marker <= first {
			t.Errorf("Latest of a deleted key = %+v, want revision %d", e, marker)
		}
		_, err = tokens.Put(withDeadline(t), key, nil, 0, 0)
		mustConflict(t, "put over a marker as if the key never was", err)
		put(t, tokens, "again", marker, 0)
		if e := latest(t, tokens, key); !e.Exists || string(e.Value) != "again" {
			t.Errorf("Latest of a key put again = %+v", e)
		}
	})
}

func TestKeysThatOthersRemovedDoNotExist(t *testing.T) {
	bubble(t, func(t *testing.T, _ *natstest.Server, nc *nats.Conn) {
		js := jetStream(t, nc)
		ensureBuckets(t, js, 1)
		tokens := OpenKV(nc, js, wire.DefaultBucket)
		client, err := js.KeyValue(withDeadline(t), wire.DefaultBucket)
		if err != nil {
			t.Fatal(err)
		}
		for what, remove := range map[string]func(context.Context, string, ...jetstream.KVDeleteOpt) error{"nats kv del": client.Delete, "nats kv purge": client.Purge} {
			revision, err := client.PutString(withDeadline(t), key, "v")
			if err != nil {
				t.Fatal(err)
			}
			if e := latest(t, tokens, key); !e.Exists || string(e.Value) != "v" || e.Revision != revision {
				t.Errorf("a client's put reads as %+v", e)
			}
			if err := remove(withDeadline(t), key); err != nil {
				t.Fatal(err)
			}
			if e := latest(t, tokens, key); e.Exists || e.Revision != revision+1 {
				t.Errorf("after %s Latest = %+v", what, e)
			}
		}
	})
}

func TestAKeyEndsAfterItsTTL(t *testing.T) {
	inBubble(t, func(t *testing.T, _, ops *KV) {
		first := put(t, ops, "lease", 0, 15*time.Second)
		time.Sleep(14 * time.Second)
		if e := latest(t, ops, key); !e.Exists {
			t.Fatal("the key ended early")
		}
		_, err := ops.Put(withDeadline(t), key, nil, 0, 0)
		mustConflict(t, "a rival's put before the end", err)

		time.Sleep(2 * time.Second)
		e := latest(t, ops, key)
		if e.Exists || e.Revision != first+1 {
			t.Fatalf("after its end Latest = %+v, want the marker's revision %d", e, first+1)
		}
		_, err = ops.Put(withDeadline(t), key, nil, first, 15*time.Second)
		mustConflict(t, "a put over the lease that ended", err)
		put(t, ops, "lease", e.Revision, 15*time.Second)
	})
}

func TestTheMarkerOfATTLEndsToo(t *testing.T) {
	inBubble(t, func(t *testing.T, _, ops *KV) {
		put(t, ops, "lease", 0, time.Second)
		time.Sleep(time.Second + 2*markerTTL)
		if e := latest(t, ops, key); e.Exists || e.Revision != 0 {
			t.Errorf("Latest = %+v, want no trace", e)
		}
		put(t, ops, "lease", 0, time.Second)
	})
}

func TestAPutBeforeTheEndProlongs(t *testing.T) {
	inBubble(t, func(t *testing.T, _, ops *KV) {
		revision := put(t, ops, "lease", 0, 15*time.Second)
		for range 5 {
			time.Sleep(10 * time.Second)
			revision = put(t, ops, "lease", revision, 15*time.Second)
		}
		time.Sleep(14 * time.Second)
		if e := latest(t, ops, key); !e.Exists || e.Revision != revision {
			t.Errorf("14 s after the renewal Latest = %+v, want revision %d", e, revision)
		}
		time.Sleep(2 * time.Second)
		if e := latest(t, ops, key); e.Exists {
			t.Error("16 s after the last renewal the key is still there")
		}
	})
}

func TestAPutWithoutTTLStays(t *testing.T) {
	inBubble(t, func(t *testing.T, _, ops *KV) {
		revision := put(t, ops, "lease", 0, 15*time.Second)
		put(t, ops, "budget", revision, 0)
		time.Sleep(time.Hour)
		if e := latest(t, ops, key); !e.Exists {
			t.Error("the key ended")
		}
	})
}

func TestOneOfManyRivalsWins(t *testing.T) {
	bubble(t, func(t *testing.T, s *natstest.Server, nc *nats.Conn) {
		ensureBuckets(t, jetStream(t, nc), 1)
		var rivals [8]*KV
		for i := range rivals {
			nc := s.Connect()
			rivals[i] = OpenKV(nc, jetStream(t, nc), wire.DefaultNames().OpsBucket())
		}
		var expected uint64
		for round := range 20 {
			var won []uint64
			var mu sync.Mutex
			var all sync.WaitGroup
			for _, kv := range rivals {
				all.Go(func() {
					revision, err := kv.Put(t.Context(), key, []byte("mine"), expected, 15*time.Second)
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						won = append(won, revision)
					} else if !errors.Is(err, ErrConflict) {
						t.Errorf("a rival got %v", err)
					}
				})
			}
			all.Wait()
			if len(won) != 1 {
				t.Fatalf("round %d: %d rivals won", round, len(won))
			}
			expected = won[0]
		}
	})
}

func TestAMissingBucketIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T, _ *natstest.Server, nc *nats.Conn) {
		kv := OpenKV(nc, jetStream(t, nc), "nowhere")
		for what, err := range everyCall(withDeadline(t), kv) {
			if !errors.Is(err, ErrNoBucket) || !strings.Contains(err.Error(), "nowhere") || !strings.Contains(err.Error(), key) {
				t.Errorf("%s: %v, want ErrNoBucket with the names of bucket and key", what, err)
			}
		}
	})
}

func TestABucketMadeLaterIsFound(t *testing.T) {
	bubble(t, func(t *testing.T, _ *natstest.Server, nc *nats.Conn) {
		js := jetStream(t, nc)
		kv := OpenKV(nc, js, wire.DefaultBucket)
		if _, err := kv.Latest(withDeadline(t), key); !errors.Is(err, ErrNoBucket) {
			t.Fatal(err)
		}
		ensureBuckets(t, js, 1)
		put(t, kv, "v", latest(t, kv, key).Revision, 0)
	})
}

func everyCall(ctx context.Context, kv *KV) map[string]error {
	_, read := kv.Latest(ctx, key)
	_, written := kv.Put(ctx, key, []byte("v"), 0, time.Minute)
	_, deleted := kv.Delete(ctx, key, 1)
	return map[string]error{"Latest": read, "Put": written, "Delete": deleted}
}

func TestWritesWhileNATSIsAwayFailAtOnceAndAreNotReplayed(t *testing.T) {
	bubble(t, func(t *testing.T, s *natstest.Server, nc *nats.Conn) {
		js := jetStream(t, nc)
		ensureBuckets(t, js, 1)
		kv := OpenKV(nc, js, wire.DefaultBucket)
		s.Stop()
		time.Sleep(time.Second)
		started := time.Now()
		for what, err := range everyCall(withDeadline(t), kv) {
			if err == nil || !strings.Contains(err.Error(), "not connected to NATS") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if waited := time.Since(started); waited > 0 {
			t.Errorf("waited %v", waited)
		}
		s.Resume()
		time.Sleep(10 * time.Second)
		if e := latest(t, kv, key); e.Revision != 0 {
			t.Errorf("a write was replayed: %+v", e)
		}
	})
}

func TestCallsEndWithTheirContext(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *natstest.Server) {
		w := newHalfOpen(t, s)
		kv := OpenKV(w.nc, jetStream(t, w.nc), wire.DefaultBucket)
		ensureBuckets(t, jetStream(t, w.nc), 1)
		w.swallow()
		started := time.Now()
		for what, call := range map[string]func(context.Context) error{
			"Latest": func(ctx context.Context) error { _, err := kv.Latest(ctx, key); return err },
			"Put":    func(ctx context.Context) error { _, err := kv.Put(ctx, key, nil, 0, 0); return err },
			"Delete": func(ctx context.Context) error { _, err := kv.Delete(ctx, key, 0); return err },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v, want DeadlineExceeded", what, err)
			}
			cancel()
			if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s with a context that ended: %v", what, err)
			}
		}
		if waited := time.Since(started); waited != 6*time.Second {
			t.Errorf("three calls of 2 s waited %v", waited)
		}
	})
}

func TestATTLInABucketWithoutMarkersLeavesNoTrace(t *testing.T) {
	bubble(t, func(t *testing.T, _ *natstest.Server, nc *nats.Conn) {
		js := jetStream(t, nc)
		names := wire.Names{Bucket: "theirs", Prefix: "theirs"}
		makeStream(t, js, ours(t, js, names, names.OpsBucket()), careless, func(c *jetstream.StreamConfig) { c.AllowMsgTTL = true })
		if _, err := EnsureBuckets(withDeadline(t), js, names, 1); err != nil {
			t.Fatal(err)
		}
		kv := OpenKV(nc, js, names.OpsBucket())
		put(t, kv, "lease", 0, 2*time.Second)
		time.Sleep(4 * time.Second)
		if e := latest(t, kv, key); e.Exists || e.Revision != 0 {
			t.Errorf("Latest = %+v, want no trace", e)
		}
		put(t, kv, "lease", 0, 2*time.Second)
	})
}

func TestRepublishedValuesAreTheStoredOnes(t *testing.T) {
	bubble(t, func(t *testing.T, _ *natstest.Server, nc *nats.Conn) {
		js := jetStream(t, nc)
		ensureBuckets(t, js, 1)
		names := wire.DefaultNames()
		kv := OpenKV(nc, js, names.Bucket)
		updates, err := nc.SubscribeSync(names.UpdateSubject(">"))
		if err != nil {
			t.Fatal(err)
		}
		first := put(t, kv, "one", 0, 0)
		_, err = kv.Put(withDeadline(t), key, []byte("refused"), 0, 0)
		mustConflict(t, "a second writer", err)
		marker, err := kv.Delete(withDeadline(t), key, first)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []wire.Origin{{Key: key, Revision: first}, {Key: key, Revision: marker, Marker: true}} {
			msg, err := updates.NextMsg(patience)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := names.OriginOf(msg.Header)
			want.Stored = got.Stored
			if !ok || got != want || msg.Subject != names.UpdateSubject(key) {
				t.Errorf("update on %s is %+v, want %+v", msg.Subject, got, want)
			}
		}
		if msg, err := updates.NextMsg(time.Second); err == nil {
			t.Errorf("one update more: %s", msg.Data)
		}
	})
}
