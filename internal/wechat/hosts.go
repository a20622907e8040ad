package wechat

import (
	"net/url"
	"sync"
	"time"
)

// retryFirst is how often the first base gets another chance while a later one serves.
const retryFirst = time.Minute

// hosts remembers which base works.
type hosts struct {
	bases []*url.URL

	mu         sync.Mutex
	current    int       // index of the base that serves
	firstTried time.Time // the last try of bases[0], while current is another
}

// turn is the base that one attempt goes to.
type turn struct {
	index int
	base  *url.URL
}

func (h *hosts) next(now time.Time) turn {
	h.mu.Lock()
	defer h.mu.Unlock()
	index := h.current
	if index != 0 && now.Sub(h.firstTried) >= retryFirst {
		index, h.firstTried = 0, now // for this attempt only: the others stay where it works
	}
	return turn{index, h.bases[index]}
}

// worked notes an answer. Only the first base can win back the attempts by it.
func (h *hosts) worked(t turn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.index == 0 {
		h.current = 0
	}
}

// failed moves on from the base that serves. Of several attempts that failed there together only one moves on, and
// the failed second chance of the first base changes nothing.
func (h *hosts) failed(t turn, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.index != h.current {
		return
	}
	h.current = (h.current + 1) % len(h.bases)
	if t.index == 0 {
		h.firstTried = now
	}
}
