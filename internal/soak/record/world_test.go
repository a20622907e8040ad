package record

import (
	"testing"
	"time"
)

// start is when every test's book begins. Times in tests are seconds after it.
var start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return start.Add(time.Duration(seconds * float64(time.Second)))
}

const (
	appid = "wx0123456789abcdef"
	life  = 40 // seconds
)

// history writes a book by hand.
type history struct {
	*Book
	fence uint64
}

func newHistory() *history {
	return &history{Book: New(Rules{Ahead: life / 2 * time.Second, Through: map[string]string{"client": "agent"}})}
}

// trouble is a fault from begin to end.
func (h *history) trouble(begin, end float64, kind Kind, what string, on ...string) {
	h.troubles = append(h.troubles, &Trouble{Kind: kind, What: what, On: on, Begin: at(begin), End: at(end)})
}

// token is one that publisher-1 got and stored, all within 0.3 s.
func (h *history) token(id string, minted float64, reason string) {
	h.mint(id, minted)
	h.request(id, minted-0.1, minted+0.1)
	h.store(id, minted, reason)
}

func (h *history) mint(id string, minted float64) {
	h.Minted(Mint{AppID: appid, Channel: "token", Mode: "token", By: "client", ID: id, At: at(minted), Expires: at(minted + life), Life: 1})
}

func (h *history) request(id string, begin, end float64) {
	h.Requested(MintRequest{Publisher: "publisher-1", AppID: appid, ID: id, Begin: at(begin), End: at(end)})
}

func (h *history) store(id string, minted float64, reason string) {
	h.fence++
	h.Stored(Value{AppID: appid, ID: id, Publisher: "publisher-1", Reason: reason, Generation: 100 + h.fence, Fence: h.fence,
		Minted: at(minted - 0.1), Expires: at(minted + life), Stored: at(minted + 0.2)})
	h.see(id, minted+0.2)
}

// refused is a request for a token that WeChat answered with an errcode.
func (h *history) refused(errcode int, begin, end float64) {
	h.Requested(MintRequest{Publisher: "publisher-1", AppID: appid, Code: errcode, Begin: at(begin), End: at(end)})
}

// see is when the soak first saw a token that is stored already. Those of other tests it saw when they were stored.
func (h *history) see(id string, seconds float64) {
	for i := range h.values {
		if h.values[i].ID == id {
			h.values[i].Seen = at(seconds)
		}
	}
}

// calm is a history of three tokens, each in time, and a service that has them at once.
func calm() *history {
	h := newHistory()
	h.lives["service-1"] = []Life{{Begin: start}}
	for i, id := range []string{"a", "b", "c"} {
		minted := 1 + float64(i)*life/2
		h.token(id, minted, "scheduled")
		h.hold("service-1", id, minted+0.25)
	}
	return h
}

func (h *history) hold(client, id string, seconds float64) {
	h.Held(Hold{Client: client, AppID: appid, ID: id, At: at(seconds)})
}

func (h *history) violated() map[string]int {
	count := make(map[string]int)
	for _, inv := range h.Invariants() {
		if n := len(inv.Violated); n > 0 {
			count[inv.Name] = n
		}
	}
	return count
}

func (h *history) purposes() map[Purpose]int {
	count := make(map[Purpose]int)
	for _, m := range h.Mints() {
		count[m.Purpose]++
	}
	return count
}

func TestACalmHistoryViolatesNothing(t *testing.T) {
	h := calm()
	if got := h.violated(); len(got) > 0 {
		t.Errorf("violated: %v", got)
	}
	if got := h.purposes(); got[Needed] != 3 || len(got) != 1 {
		t.Errorf("purposes: %v", got)
	}
	if h.Rotations() != 2 {
		t.Errorf("%d rotations", h.Rotations())
	}
}
