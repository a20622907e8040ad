package publisher_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

// hears collects the account's events of that kind from now on.
func (w *world) hears(what string) <-chan *nats.Msg {
	w.t.Helper()
	heard := make(chan *nats.Msg, 16)
	_, err := w.nc.ChanSubscribe(names.EventSubject(appid, what), heard)
	w.must(err)
	w.must(w.nc.Flush())
	return heard
}

// wantDetail fails unless exactly one event was heard, and says what happened.
func wantDetail(t *testing.T, heard <-chan *nats.Msg) {
	t.Helper()
	if len(heard) != 1 {
		t.Fatalf("%d events", len(heard))
	}
	var e wire.Event
	if err := json.Unmarshal((<-heard).Data, &e); err != nil || e.Detail == "" {
		t.Errorf("%+v, %v", e, err)
	}
}

// The demo printed "stale writer: " and "lease lost: ", and nothing after it.
func TestAStaleWriterSaysWhatHappened(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.PlainToken))
		theirs := lateWriters(w.value(anyValue))
		theirs.Fence += 1000
		heard := w.hears(wire.EventStaleWriter)
		time.Sleep(time.Minute)
		w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Delay, Delay: 3 * time.Second})
		w.must(w.nc.Publish(names.RefreshSubject(), nil))
		time.Sleep(time.Second)
		w.put(theirs)
		time.Sleep(5 * time.Second)
		wantDetail(t, heard)
	})
}

func TestALostLeaseSaysWhatHappened(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		cfg := w.config(wechat.PlainToken)
		cfg.LeaseTTL = 6 * time.Second
		w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Hang, Count: 1})
		heard := w.hears(wire.EventLeaseLost)
		w.start(cfg)
		time.Sleep(2 * time.Second)
		ops, err := w.js.KeyValue(t.Context(), names.OpsBucket())
		w.must(err)
		w.must(ops.Delete(t.Context(), "lease."+appid))
		w.holdLease(20 * time.Second)
		time.Sleep(15 * time.Second)
		wantDetail(t, heard)
	})
}
