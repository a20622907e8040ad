package record

import (
	"maps"
	"testing"
	"time"
)

func TestWhatMintsAreFor(t *testing.T) {
	for name, c := range map[string]struct {
		happened func(h *history)
		want     map[Purpose]int // beside the three of a calm history
	}{
		"due":        {func(h *history) { h.token("d", 61, "scheduled") }, map[Purpose]int{Needed: 1}},
		"not due":    {func(h *history) { h.token("d", 55, "scheduled") }, map[Purpose]int{Wasted: 1}},
		"dead":       {func(h *history) { h.Revoked("c", at(50)); h.token("d", 55, "reported") }, map[Purpose]int{Needed: 1}},
		"a stranger": {func(h *history) { h.Minted(Mint{AppID: appid, By: ByStranger, ID: "x", At: at(50)}) }, map[Purpose]int{}},
		"its answer is lost": {func(h *history) {
			h.mint("lost", 61)
			h.request("", 60.9, 61.5)
			h.token("d", 62, "scheduled")
		}, map[Purpose]int{Needed: 1, Repeated: 1}},
		"its minter is killed": {func(h *history) {
			h.mint("lost", 61)
			h.request("lost", 60.9, 61.1)
			h.trouble(61.2, 63, Killed, "x", "publisher-1")
			h.token("d", 64, "scheduled")
		}, map[Purpose]int{Needed: 1, Repeated: 1}},
		"it is minted again for nothing": {func(h *history) {
			h.mint("lost", 61)
			h.request("lost", 60.9, 61.1)
			h.token("d", 64, "scheduled")
		}, map[Purpose]int{Needed: 1, Wasted: 1}},
		"WeChat was away, and works off what was given up": {func(h *history) {
			h.request("", 60.9, 62.9)
			h.token("d", 63, "scheduled")
			h.mint("late", 63.5)
		}, map[Purpose]int{Needed: 1, Repeated: 1}},
		"it is stored without a quorum, and minted again before it can be read": {func(h *history) {
			h.token("d", 61, "scheduled")
			h.trouble(61.1, 64, Cut, "x", OnNATS)
			h.see("d", 65)
			h.token("e", 64.5, "scheduled")
		}, map[Purpose]int{Needed: 1, Repeated: 1}},
		"the same, but it can be read": {func(h *history) {
			h.token("d", 61, "scheduled")
			h.trouble(61.1, 64, Cut, "x", OnNATS)
			h.see("d", 64.2)
			h.token("e", 64.5, "scheduled")
		}, map[Purpose]int{Needed: 1, Wasted: 1}},
		"another publisher asks before it is stored, which the lease should prevent": {func(h *history) {
			h.token("d", 61, "scheduled")
			h.mint("e", 61.3)
			h.request("e", 61.15, 61.4)
			h.store("e", 61.3, "scheduled")
		}, map[Purpose]int{Needed: 1, Wasted: 1}},
		"it is asked for before another's can be read, and in the end answered": {func(h *history) {
			h.token("d", 61, "scheduled")
			h.trouble(61.1, 64, Cut, "x", OnNATS)
			h.see("d", 65)
			h.request("", 64.5, 66.5)
			h.request("", 66.5, 68.5)
			h.token("e", 69, "scheduled")
		}, map[Purpose]int{Needed: 1, Repeated: 1}},
		"the same, but WeChat had answered that it won't": {func(h *history) {
			h.token("d", 61, "scheduled")
			h.trouble(61.1, 64, Cut, "x", OnNATS)
			h.see("d", 65)
			h.refused(40164, 64.5, 64.6)
			h.token("e", 69, "scheduled")
		}, map[Purpose]int{Needed: 1, Wasted: 1}},
		"all stores are lost, and all publishers with them": {func(h *history) {
			h.trouble(45, 46, Lost, "x", OnNATS)
			h.token("d", 47, "startup")
		}, map[Purpose]int{Needed: 1}},
	} {
		h := calm()
		c.happened(h)
		got := h.purposes()
		if got[Needed] -= 3; got[Needed] == 0 {
			delete(got, Needed)
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestFreshness(t *testing.T) {
	h := calm() // has each token 50 ms after it was stored
	h.token("d", 61, "scheduled")
	h.hold("service-1", "d", 66.2)
	h.trouble(60, 66, Cut, "cut off", "service-1")
	h.token("e", 81, "scheduled")
	h.lives["service-1"] = []Life{{start, at(80)}, {Begin: at(83)}}
	h.hold("service-1", "e", 83.1)
	h.token("f", 101, "scheduled") // comes too late to be held
	got := h.Freshness("service-1")
	if got.Longest != 5*time.Second || got.During != "cut off" || got.Values != 5 {
		t.Errorf("%+v", got)
	}
	if got.Healed != 200*time.Millisecond {
		t.Errorf("after the cut: %v", got.Healed)
	}
}
