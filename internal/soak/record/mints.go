package record

import (
	"fmt"
	"slices"
	"time"
)

// Purpose is what a mint was for.
type Purpose int

// The purposes.
const (
	Needed   Purpose = iota // there was no token, it was dead, or it was due
	Repeated                // one for the same need had been made, but its answer was lost, its minter struck or the store away
	Wasted                  // nothing called for it
)

// Minted is a mint of ours and what it was for.
type MintFor struct {
	Mint
	Purpose Purpose
	Why     string
}

// dueEarly is how much before WX_REFRESH_AHEAD a mint may be due: clocks are read at several places.
const dueEarly = time.Second

// Mints says of every mint of ours what it was for. The least number possible is that of the Needed ones: a publisher
// that knew all in advance would have needed them too.
func (b *Book) Mints() []MintFor {
	f := b.snapshot()
	var all []MintFor
	latest := make(map[string]Mint) // ours, by account
	for _, m := range f.mints {
		if m.By == ByStranger {
			continue
		}
		purpose, why := f.purpose(m, latest[m.AppID])
		all = append(all, MintFor{Mint: m, Purpose: purpose, Why: why})
		latest[m.AppID] = m
	}
	return all
}

func (f *facts) purpose(m, before Mint) (Purpose, string) {
	s, found := f.storedAt(m.AppID, m.At)
	switch {
	case before.ID != "" && before.ID != s.ID && before.At.After(s.Minted):
		return f.repeated(before, m)
	case !found:
		return Needed, "the first"
	case f.spentAt(s, m.At):
		return Needed, "the token was dead, or due"
	}
	if t, ok := f.during(s.Stored, m.At, kind(Lost)); ok {
		return Needed, t.What
	}
	if f.wasCalledFor(m) {
		return Repeated, "it was called for when its publisher began to ask: the stored token came late"
	}
	if f.workedOff(m) {
		return Repeated, "WeChat got to a request that had been given up"
	}
	return Wasted, fmt.Sprintf("the stored token was good for %v more", s.Expires.Sub(m.At).Round(time.Millisecond))
}

// spentAt tells whether a token is due, or was dead before its time.
func (f *facts) spentAt(v Value, at time.Time) bool {
	return f.deadAt(v.ID, at) || v.Expires.Sub(at) <= f.rules.Ahead+dueEarly
}

// wasCalledFor tells whether the token that its publisher could read when it began to ask for m was due or dead, and what
// is stored by now was out of its sight. It is if it came late, or if the publisher had asked before and got no answer: it
// goes on asking then, whatever is stored meanwhile under an older fence, because WeChat may have minted. Whoever just reads
// before another has stored, has no such excuse: the lease is there to prevent that.
func (f *facts) wasCalledFor(m Mint) bool {
	last, found := f.requestOf(m)
	if !found {
		return false
	}
	began := f.beganToAsk(last)
	readable, found := f.readableAt(m.AppID, began)
	newest, _ := f.storedAt(m.AppID, began)
	outOfSight := began.Before(last.Begin) || readable.ID != newest.ID
	return outOfSight && (!found || f.spentAt(readable, began))
}

// beganToAsk is when the first of the requests began that a publisher made one after the other without an answer, up to the
// last, which has one.
func (f *facts) beganToAsk(last MintRequest) time.Time {
	began := last.Begin
	for _, r := range slices.Backward(f.requests) {
		if r.Publisher != last.Publisher || r.AppID != last.AppID || !r.Begin.Before(began) {
			continue
		}
		if r.ID != "" || r.Code != 0 {
			break
		}
		began = r.Begin
	}
	return began
}

// readableAt is the newest value of an account but those that a server without a quorum had taken, and which came later.
func (f *facts) readableAt(appid string, at time.Time) (Value, bool) {
	for _, v := range slices.Backward(f.stored) {
		if v.AppID != appid || v.Stored.After(at) {
			continue
		}
		if _, troubled := f.during(v.Stored, at, on(OnNATS)); !troubled || !v.Seen.After(at) {
			return v, true
		}
	}
	return Value{}, false
}

// workedOff tells whether a mint, which reached nobody, is of a request that its publisher had given up: WeChat was away,
// and has come back.
func (f *facts) workedOff(m Mint) bool {
	reached := slices.ContainsFunc(f.requests, func(r MintRequest) bool { return r.ID == m.ID })
	return !reached && slices.ContainsFunc(f.requests, func(r MintRequest) bool {
		return r.AppID == m.AppID && r.ID == "" && r.End.Before(m.At) && m.At.Sub(r.End) < settling
	})
}

// storedAt is the newest value that an account had.
func (f *facts) storedAt(appid string, at time.Time) (Value, bool) {
	var newest Value
	found := false
	for _, v := range f.stored {
		if v.AppID == appid && !v.Stored.After(at) {
			newest, found = v, true
		}
	}
	return newest, found
}

// repeated says why a mint was made again.
func (f *facts) repeated(first, again Mint) (Purpose, string) {
	request, ok := f.requestOf(first)
	if !ok || request.ID != first.ID {
		return Repeated, "its answer was lost"
	}
	if t, ok := f.during(first.At.Add(-settling), again.At, on(request.Publisher, OnPublishers, OnNATS)); ok {
		return Repeated, t.What
	}
	if t, ok := f.during(first.At.Add(-settling), again.At, kind(Killed, Stopped, Cut, Slowed, Lost)); ok && first.Life == again.Life {
		return Repeated, t.What
	}
	if first.Life != again.Life {
		return Needed, "WeChat had forgotten all tokens"
	}
	return Wasted, "the token before it had reached its publisher and wasn't stored"
}

// requestOf finds the request that made a token.
func (f *facts) requestOf(m Mint) (MintRequest, bool) {
	for _, r := range f.requests {
		if r.AppID == m.AppID && (r.ID == m.ID || r.ID == "" && !m.At.Before(r.Begin) && !m.At.After(r.End)) {
			return r, true
		}
	}
	return MintRequest{}, false
}
