package record

import (
	"slices"
	"time"
)

// facts are a book that stands still, in the order of time.
type facts struct {
	rules    Rules
	troubles []Trouble
	stored   []Value
	mints    []Mint
	requests []MintRequest
	revoked  map[string]time.Time
	attempts map[string][]Attempt
	fails    []Fail
	holds    []Hold
	lives    map[string][]Life
	unwell   []string
	leaks    []string
	reports  int

	dead map[string]time.Time // by token id: when WeChat ended it, if that was before its time
}

func (f *facts) sort() {
	slices.SortStableFunc(f.stored, func(a, b Value) int { return a.Stored.Compare(b.Stored) })
	slices.SortStableFunc(f.mints, func(a, b Mint) int { return a.At.Compare(b.At) })
	slices.SortStableFunc(f.requests, func(a, b MintRequest) int { return a.Begin.Compare(b.Begin) })
	slices.SortStableFunc(f.holds, func(a, b Hold) int { return a.At.Compare(b.At) })
	f.dead = f.deaths()
}

// values are those of an account, the oldest first.
func (f *facts) values(appid string) []Value {
	return slices.DeleteFunc(slices.Clone(f.stored), func(v Value) bool { return v.AppID != appid })
}

func (f *facts) appids() []string {
	var found []string
	for _, v := range f.stored {
		if !slices.Contains(found, v.AppID) {
			found = append(found, v.AppID)
		}
	}
	slices.Sort(found)
	return found
}

// deaths are the tokens that died before their time: revoked, or pushed out, as WeChat keeps an account's newest token
// and the one before it only, or gone with a simulator that was killed.
func (f *facts) deaths() map[string]time.Time {
	dead := make(map[string]time.Time)
	die := func(m Mint, at time.Time) {
		if before, ok := dead[m.ID]; at.Before(m.Expires) && (!ok || at.Before(before)) {
			dead[m.ID] = at
		}
	}
	lasting := make(map[string][]Mint) // by account and channel
	for _, m := range f.mints {
		key := m.AppID + " " + m.Channel
		if kept := lasting[key]; len(kept) > 0 && kept[0].Life != m.Life {
			lasting[key] = nil
		}
		lasting[key] = append(lasting[key], m)
		if kept := lasting[key]; len(kept) > 2 {
			die(kept[0], m.At)
			lasting[key] = kept[1:]
		}
		if at, ok := f.revoked[m.ID]; ok {
			die(m, at)
		}
	}
	for _, t := range f.troubles {
		if t.Kind != Forgot {
			continue
		}
		for _, m := range f.mints {
			if m.At.Before(t.Begin) {
				die(m, t.Begin)
			}
		}
	}
	return dead
}

// deadAt tells whether a token was dead before its time.
func (f *facts) deadAt(id string, at time.Time) bool {
	died, ok := f.dead[id]
	return ok && !died.After(at)
}
