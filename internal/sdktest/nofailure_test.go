package sdktest

import (
	"testing"
)

// kinds are the accounts of the long run. The SDK with one HTTP client for all has one account of each sort, as firms do.
var kinds = map[string]sdk{
	"wx00000000000000a1": officialAccount,
	"wx00000000000000b1": miniProgram,
	"wx00000000000000c1": chanxuehong,
	"wx00000000000000c2": chanxuehong,
	"wx00000000000000c3": chanxuehong,
	"ww00000000000000d1": weCom,
	"ww00000000000000d2": weCom,
	"ww00000000000000d3": weCom,
	"wx00000000000000e1": noSDK,
	"wx00000000000000e2": noSDK,
}

// TestNoCallFails is what wxtoken is for: whatever happens to tokens, publishers and NATS, the services' calls of WeChat's
// API succeed, by every SDK.
func TestNoCallFails(t *testing.T) {
	rotations, rounds := int64(1200), 6
	if testing.Short() {
		rotations, rounds = 120, 2
	}
	w := newWorld(t, kinds)
	all := w.employ(true)
	stop := all.start()
	pause := rotations / int64(rounds*len(strikes)) // between strikes
	w.awaitRotations(w.rotations() + pause)
	tr := &trouble{world: w}
	for i := range rounds * len(strikes) {
		tr.strike(i)
		w.awaitRotations(w.rotations() + pause)
	}
	stop()
	all.tell(t)
	w.tell()
	all.complain(t)
	if w.refusedCalls() <= 0 {
		t.Error("WeChat refused no token: nothing was there to heal")
	}
}

// TestWithoutTransportCallsFail is the control of the one above: the same services without healing notice every token that
// dies early.
func TestWithoutTransportCallsFail(t *testing.T) {
	w := newWorld(t, kinds)
	all := w.employ(false)
	stop := all.start()
	tr := &trouble{world: w}
	for range len(kinds) {
		w.awaitRotations(w.rotations() + int64(len(kinds)))
		tr.strike(0)
	}
	w.awaitRotations(w.rotations() + int64(2*len(kinds)))
	stop()
	all.tell(t)
	for _, kind := range []*sdk{&officialAccount, &miniProgram, &weCom, &noSDK} {
		if all.failed(kind) == 0 {
			t.Errorf("%s: no call failed", kind.name)
		}
	}
	if n := all.failed(&chanxuehong); n != 0 { // it refreshes by itself
		t.Errorf("%s: %d calls failed", chanxuehong.name, n)
	}
}

// A token dies while NATS is away: calls wait for publishers, also where the service is connected again before them.
func TestTokenDiesWhileNATSIsAway(t *testing.T) {
	w := newWorld(t, kinds)
	all := w.employ(true)
	stop := all.start()
	w.nats.Stop()
	for _, appid := range w.appids {
		(&trouble{world: w}).revoke(appid)
	}
	w.nats.Resume()
	w.awaitHealth()
	w.awaitRotations(w.rotations() + int64(2*len(kinds)))
	stop()
	all.tell(t)
	if n := all.failed(nil); n != 0 {
		t.Errorf("%d calls failed", n)
	}
}
