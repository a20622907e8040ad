package statuspage

import (
	"context"
	"sync"
	"time"

	"github.com/wxtoken/wxtoken/publisher"
)

const (
	historyTimeout = time.Second      // for all accounts of a page
	historyPause   = 5 * time.Second  // after a read that failed
	historyLife    = 10 * time.Minute // of what nothing contradicts
	historyLimit   = 2000             // accounts that are remembered
	readsAtOnce    = 8
)

// histories are read when an account is shown and its key has another revision than the last time.
type histories struct {
	src   Source
	turn  chan struct{} // whose turn it is to read; guards the rest
	known map[string]known
	again time.Time // not before this, after a failure
}

type known struct {
	revision uint64
	read     time.Time
	minted   []publisher.Minted
}

func newHistories(src Source) *histories {
	return &histories{src: src, turn: make(chan struct{}, 1), known: make(map[string]known)}
}

// of gives what is known of the accounts' last tokens. What can't be read now is missing, or as it was.
func (h *histories) of(ctx context.Context, accounts []publisher.AccountStatus) map[string][]publisher.Minted {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	defer func() { <-h.turn }()
	if len(h.known)+len(accounts) > historyLimit {
		clear(h.known)
	}
	h.read(ctx, h.changed(accounts))
	minted := make(map[string][]publisher.Minted, len(accounts))
	for _, a := range accounts {
		minted[a.AppID] = h.known[a.AppID].minted
	}
	return minted
}

func (h *histories) changed(accounts []publisher.AccountStatus) (changed []publisher.AccountStatus) {
	now := time.Now()
	if now.Before(h.again) {
		return nil
	}
	for _, a := range accounts {
		k, isKnown := h.known[a.AppID]
		if !isKnown || k.revision != a.Revision || now.Sub(k.read) >= historyLife {
			changed = append(changed, a)
		}
	}
	return changed
}

// read goes on for the next viewer when this one leaves.
func (h *histories) read(ctx context.Context, accounts []publisher.AccountStatus) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), historyTimeout)
	defer cancel()
	var mu sync.Mutex
	var reading sync.WaitGroup
	gate := make(chan struct{}, readsAtOnce)
	for _, a := range accounts {
		gate <- struct{}{}
		reading.Go(func() {
			defer func() { <-gate }()
			minted, err := h.src.History(ctx, a.AppID)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				h.again = time.Now().Add(historyPause)
				return
			}
			h.known[a.AppID] = known{a.Revision, time.Now(), minted}
		})
	}
	reading.Wait()
}
