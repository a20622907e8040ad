package record

import (
	"maps"
	"testing"
)

func TestViolations(t *testing.T) {
	for name, c := range map[string]struct {
		happened func(h *history)
		want     map[string]int
	}{
		"two ask at once": {func(h *history) {
			h.request("", 40.9, 41.2)
		}, map[string]int{"I1": 1}},
		"two ask at once, of which one was stopped": {func(h *history) {
			h.request("", 40.9, 41.2)
			h.trouble(40, 42, Stopped, "x", "publisher-1")
		}, nil},
		"an older lease's token is stored last": {func(h *history) {
			h.token("d", 61, "scheduled")
			h.values[3].Fence = 1
		}, map[string]int{"I2": 1}},
		"all isn't well in the end": {func(h *history) { h.Unwell("x") }, map[string]int{"I2": 1}},
		"a good token is replaced": {func(h *history) {
			h.token("d", 50, "startup")
		}, map[string]int{"I3": 1}},
		"a good token is replaced on a report": {func(h *history) {
			h.token("d", 50, "reported")
		}, map[string]int{"I3": 1, "I5": 1}},
		"a dead token is replaced on a report": {func(h *history) {
			h.Revoked("c", at(49))
			h.token("d", 50, "reported")
		}, nil},
		"a dead token is replaced twice": {func(h *history) {
			h.Revoked("c", at(49))
			h.token("d", 50, "reported")
			h.token("e", 51, "reported")
		}, map[string]int{"I3": 1, "I4": 1, "I5": 1}},
		"a smaller generation is stored": {func(h *history) {
			h.token("d", 61, "scheduled")
			h.values[3].Generation = 5
		}, map[string]int{"I6": 1}},
		"a service goes back": {func(h *history) { h.hold("service-1", "b", 42) }, map[string]int{"I6": 1}},
		"another process of the service begins with what it finds": {func(h *history) {
			h.lives["service-1"] = []Life{{start, at(41.5)}, {Begin: at(41.6)}}
			h.hold("service-1", "b", 42)
		}, nil},
		"a secret is found": {func(h *history) { h.Leaked("x") }, map[string]int{"I7": 1}},
		"a token reaches its publisher and is never seen": {func(h *history) {
			h.mint("d", 61)
			h.request("d", 60.9, 61.1)
		}, map[string]int{"I9": 1}},
		"a token reaches a publisher that is killed": {func(h *history) {
			h.mint("d", 61)
			h.request("d", 60.9, 61.1)
			h.trouble(61.15, 63, Killed, "x", "publisher-1")
		}, nil},
		"a token is given up for a newer one": {func(h *history) {
			h.mint("d", 61)
			h.request("d", 60.9, 61.1)
			h.trouble(61, 63, Cut, "x", OnNATS)
			h.token("e", 62, "scheduled")
		}, nil},
		"reports are answered beyond the budget": {func(h *history) {
			for i := range 12 {
				id := string(rune('d' + i))
				h.Revoked(string(rune('c'+i)), at(45+float64(i)))
				h.token(id, 45.5+float64(i), "reported")
			}
		}, map[string]int{"I10": 1}},
		"forced too soon again": {func(h *history) {
			h.token("d", 61, "scheduled")
			h.token("e", 81, "scheduled")
			h.mints[3].Mode, h.mints[4].Mode = "stable_force", "stable_force"
		}, map[string]int{"I10": 1}},
	} {
		h := calm()
		c.happened(h)
		if got := h.violated(); !maps.Equal(got, c.want) {
			t.Errorf("%s: violated %v, want %v", name, got, c.want)
		}
	}
}
