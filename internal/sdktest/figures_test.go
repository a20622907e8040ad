package sdktest

import (
	"encoding/json"
	"maps"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

// tell logs what happened to tokens.
func (w *world) tell() {
	w.t.Helper()
	stats := w.stats()
	w.t.Logf("%d tokens, %d of them minted by strangers; those of the publishers by reason: %v", stats.Mints.Total(),
		stats.Mints.Foreign, w.reasons.all())
	w.t.Logf("refused by errcode: %v, among %d checks by publishers", stats.Refused, stats.Checks)
}

func (w *world) stats() wxsim.Stats {
	w.t.Helper()
	stats, err := w.sim.Stats(wxsim.All)
	if err != nil {
		w.t.Fatal(err)
	}
	return stats
}

// rotations is how many tokens were minted so far.
func (w *world) rotations() int64 { return w.stats().Mints.Total() }

// refusedCalls is how many of the services' calls WeChat refused because of their tokens, at least.
func (w *world) refusedCalls() int64 {
	stats := w.stats()
	return stats.Refused[wxsim.CodeInvalidCredential] + stats.Refused[wxsim.CodeTokenExpired] - stats.Checks
}

// reasons count why publishers minted, as far as their events arrived.
type reasons struct {
	mu     sync.Mutex
	counts map[wire.Reason]int
}

func (w *world) hearReasons() *reasons {
	w.t.Helper()
	r := &reasons{counts: make(map[wire.Reason]int)}
	_, err := w.connect().Subscribe(wire.DefaultNames().EventSubject("*", wire.EventMinted), func(msg *nats.Msg) {
		var e wire.Event
		if err := json.Unmarshal(msg.Data, &e); err == nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.counts[e.Reason]++
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (r *reasons) all() map[wire.Reason]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counts)
}
