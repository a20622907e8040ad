package wire

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/natstest"
)

const (
	exampleKey     = "wx1.access_token"
	exampleSubject = "$KV.wx_token.wx1.access_token"
)

func TestOriginOf(t *testing.T) {
	stored := map[string][]string{"Nats-Stream": {"KV_wx_token"}, "Nats-Subject": {exampleSubject}, "Nats-Sequence": {"42"}}
	with := func(name string, values ...string) map[string][]string {
		h := map[string][]string{name: values}
		for k, v := range stored {
			if k != name {
				h[k] = v
			}
		}
		return h
	}
	ours := Origin{Key: exampleKey, Revision: 42}
	dated := Origin{Key: exampleKey, Revision: 42, Stored: time.Date(2026, 11, 22, 15, 30, 0, 0, time.UTC)}
	marker := Origin{Key: exampleKey, Revision: 42, Marker: true}
	for _, c := range []struct {
		what   string
		header map[string][]string
		want   Origin
		ok     bool
	}{
		{"a stored value", stored, ours, true},
		{"with the time of storing", with("Nats-Time-Stamp", "2026-11-22T15:30:00Z"), dated, true},
		{"the writer forged the time of storing", with("Nats-Time-Stamp", "2000-01-01T00:00:00Z", "2026-11-22T15:30:00Z"), dated, true},
		{"with a time that is none", with("Nats-Time-Stamp", "yesterday"), ours, true},
		{"the writer forged a sequence", with("Nats-Sequence", "9000000", "42"), ours, true},
		{"the writer forged a subject", with("Nats-Subject", "$KV.wx_token.wx2.access_token", exampleSubject), ours, true},
		{"the writer forged a stream", with("Nats-Stream", "KV_other", "KV_wx_token"), ours, true},
		{"headers of a writer, then another stream", with("Nats-Stream", "KV_wx_token", "KV_other"), Origin{}, false},
		{"a deletion", with("KV-Operation", "DEL"), marker, true},
		{"a purge", with("KV-Operation", "PURGE"), marker, true},
		{"the end of a TTL", with("Nats-Marker-Reason", "MaxAge"), marker, true},
		{"no headers", nil, Origin{}, false},
		{"another bucket", with("Nats-Subject", "$KV.wx_token_ops.lease.wx1"), Origin{}, false},
		{"another subject", with("Nats-Subject", "wx.token.update.wx1.access_token"), Origin{}, false},
		{"another stream", with("Nats-Stream", "KV_wx_token_ops"), Origin{}, false},
		{"no sequence", with("Nats-Sequence"), Origin{}, false},
		{"an empty sequence", with("Nats-Sequence", ""), Origin{}, false},
		{"a sequence that is no number", with("Nats-Sequence", "42", "x"), Origin{}, false},
		{"a negative sequence", with("Nats-Sequence", "-42"), Origin{}, false},
		{"no subject", with("Nats-Subject"), Origin{}, false},
		{"no stream", with("Nats-Stream"), Origin{}, false},
	} {
		got, ok := DefaultNames().OriginOf(c.header)
		if got != c.want || ok != c.ok {
			t.Errorf("%s: OriginOf = %+v, %v; want %+v, %v", c.what, got, ok, c.want, c.ok)
		}
	}
}

// forged are headers that a writer sets in the hope that readers take them for JetStream's.
var forged = nats.Header{
	"Nats-Stream":   {"KV_other", "KV_wx_token"},
	"Nats-Subject":  {"$KV.wx_token.wx2.access_token"},
	"Nats-Sequence": {"9000000", "9000001"},
}

func TestJetStreamsHeadersStandBehindForgedOnes(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *natstest.Server) {
		w := openWorld(t, s)
		if err := w.nc.PublishMsg(&nats.Msg{Subject: exampleSubject, Data: []byte("v"), Header: forged}); err != nil {
			t.Fatal(err)
		}
		want := Origin{Key: exampleKey, Revision: 1}
		checkOrigin(t, "republished", w.nextUpdate(t), want)
		checkOrigin(t, "direct get", w.directGet(t), want)
	})
}

func TestMarkersOfARealBucketAreKnown(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *natstest.Server) {
		w := openWorld(t, s)
		if _, err := w.kv.Create(t.Context(), exampleKey, []byte("v"), jetstream.KeyTTL(5*time.Second)); err != nil {
			t.Fatal(err)
		}
		checkOrigin(t, "created", w.nextUpdate(t), Origin{Key: exampleKey, Revision: 1})
		time.Sleep(10 * time.Second)
		checkOrigin(t, "ended by its TTL, direct get", w.directGet(t), Origin{Key: exampleKey, Revision: 2, Marker: true})
		checkOrigin(t, "ended by its TTL, republished", w.nextUpdate(t), Origin{Key: exampleKey, Revision: 2, Marker: true})

		if err := w.kv.Delete(t.Context(), exampleKey); err != nil {
			t.Fatal(err)
		}
		checkOrigin(t, "deleted, republished", w.nextUpdate(t), Origin{Key: exampleKey, Revision: 3, Marker: true})
		checkOrigin(t, "deleted, direct get", w.directGet(t), Origin{Key: exampleKey, Revision: 3, Marker: true})
	})
}

func checkOrigin(t *testing.T, what string, msg *nats.Msg, want Origin) {
	t.Helper()
	got, ok := DefaultNames().OriginOf(msg.Header)
	if age := time.Since(got.Stored); age < 0 || age > time.Minute { // of fake time
		t.Errorf("%s: stored %v ago", what, age)
	}
	got.Stored = time.Time{}
	if !ok || got != want {
		t.Errorf("%s: OriginOf(%v) = %+v, %v; want %+v", what, msg.Header, got, ok, want)
	}
}

// world is a bucket that republishes as the contract says, and a reader of its updates.
type world struct {
	nc      *nats.Conn
	kv      jetstream.KeyValue
	updates *nats.Subscription
}

func openWorld(t *testing.T, s *natstest.Server) world {
	nc := s.Connect()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	n := DefaultNames()
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{
		Bucket:         n.Bucket,
		LimitMarkerTTL: time.Hour,
		RePublish:      &jetstream.RePublish{Source: n.KeySubject(">"), Destination: n.UpdateSubject(">")},
	})
	if err != nil {
		t.Fatal(err)
	}
	updates, err := nc.SubscribeSync(n.UpdateSubject(">"))
	if err != nil {
		t.Fatal(err)
	}
	return world{nc: nc, kv: kv, updates: updates}
}

func (w world) nextUpdate(t *testing.T) *nats.Msg {
	t.Helper()
	msg, err := w.updates.NextMsg(5 * time.Second)
	if err != nil {
		t.Fatalf("no update: %v", err)
	}
	return msg
}

func (w world) directGet(t *testing.T) *nats.Msg {
	t.Helper()
	msg, err := w.nc.Request("$JS.API.DIRECT.GET.KV_wx_token."+exampleSubject, nil, 5*time.Second)
	if err != nil {
		t.Fatalf("direct get: %v", err)
	}
	return msg
}
