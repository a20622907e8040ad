package record

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Invariant is one of I1 to I10, how often it was looked at, and where it didn't hold.
type Invariant struct {
	Name     string // I1
	Says     string // in a few words
	Looked   int    // how many things were looked at
	At       string // and what they are
	Violated []string
}

// Invariants looks at all that a stranger can see of I1 to I10.
func (b *Book) Invariants() []Invariant {
	f, mints, judged := b.snapshot(), b.Mints(), b.Judge()
	return []Invariant{
		f.oneMinter(), f.newestWins(), wasted(mints), {Name: "I4", Says: "N reports, one mint", Looked: f.reports, At: "reports of the soak's own, and those of the clients", Violated: reportedTwice(f)},
		f.wrongReports(mints), f.noStepBack(), f.nothingLeaks(), staticStability(b.Calls(), judged), f.nothingLost(), f.budgets(),
	}
}

// oneMinter: no two requests for one account's token are under way at once, but for that of a publisher that was stopped
// after it was sent, which nobody can call back.
func (f *facts) oneMinter() Invariant {
	inv := Invariant{Name: "I1", Says: "one minter", Looked: len(f.requests), At: "requests for a token"}
	for i, a := range f.requests {
		for _, b := range f.requests[i+1:] {
			if !b.Begin.Before(a.End) {
				break
			}
			if a.AppID != b.AppID {
				continue
			}
			if _, stopped := f.during(a.Begin, a.End, both(on(a.Publisher), kind(Stopped))); !stopped {
				inv.Violated = append(inv.Violated, fmt.Sprintf("%s: %s asked for a token of %s while %s did", clock(b.Begin), b.Publisher, b.AppID, a.Publisher))
			}
		}
	}
	return inv
}

// newestWins: what is stored is newer than what was, and in the end it is WeChat's newest.
func (f *facts) newestWins() Invariant {
	inv := Invariant{Name: "I2", Says: "newest wins", Looked: len(f.stored), At: "stored values", Violated: f.unwell}
	f.eachNext(func(before, v Value) {
		if v.Fence < before.Fence {
			inv.Violated = append(inv.Violated, fmt.Sprintf("%s: %s has fence %d, after %d", clock(v.Stored), v.ID, v.Fence, before.Fence))
		}
	})
	return inv
}

func (f *facts) eachNext(look func(before, v Value)) {
	for _, appid := range f.appids() {
		values := f.values(appid)
		for i := range values[1:] {
			look(values[i], values[i+1])
		}
	}
}

func wasted(mints []MintFor) Invariant {
	inv := Invariant{Name: "I3", Says: "no waste", Looked: len(mints), At: "mints, with publishers restarted all the time"}
	for _, m := range mints {
		if m.Purpose == Wasted {
			inv.Violated = append(inv.Violated, fmt.Sprintf("%s: %s of %s: %s", clock(m.At), m.ID, m.AppID, m.Why))
		}
	}
	return inv
}

// reportedTwice are two tokens that are both stored as answers to reports, the first of which was good still.
func reportedTwice(f *facts) []string {
	var found []string
	f.eachNext(func(before, v Value) {
		if before.Reason == "reported" && v.Reason == "reported" && !f.deadAt(before.ID, v.Stored) {
			found = append(found, fmt.Sprintf("%s: %s was good and was replaced by %s", clock(v.Stored), before.ID, v.ID))
		}
	})
	return found
}

// wrongReports: no token was replaced on a report that WeChat still accepted.
func (f *facts) wrongReports(mints []MintFor) Invariant {
	inv := Invariant{Name: "I5", Says: "a wrong report mints nothing", At: "tokens minted on a report"}
	minted := make(map[string]Mint)
	for _, m := range mints {
		minted[m.ID] = m.Mint
	}
	f.eachNext(func(before, v Value) {
		if v.Reason != "reported" {
			return
		}
		inv.Looked++
		if at := minted[v.ID].At; !f.deadAt(before.ID, at) && at.Before(before.Expires) {
			inv.Violated = append(inv.Violated, fmt.Sprintf("%s: %s was replaced and was good", clock(v.Stored), before.ID))
		}
	})
	return inv
}

// noStepBack: generations grow, in the store and in every client.
func (f *facts) noStepBack() Invariant {
	inv := Invariant{Name: "I6", Says: "no step back", Looked: len(f.holds), At: "changes of token in clients"}
	f.eachNext(func(before, v Value) {
		if v.Generation <= before.Generation {
			inv.Violated = append(inv.Violated, fmt.Sprintf("%s: generation %d is stored after %d", clock(v.Stored), v.Generation, before.Generation))
		}
	})
	generation := make(map[string]uint64)
	for _, v := range f.stored {
		generation[v.ID] = v.Generation
	}
	newest := make(map[string]uint64)
	for _, h := range f.holds {
		key := fmt.Sprint(h.Client, h.AppID, f.lifeAt(h.Client, h.At))
		if generation[h.ID] < newest[key] {
			inv.Violated = append(inv.Violated, fmt.Sprintf("%s: %s went back to %s", clock(h.At), h.Client, h.ID))
		}
		newest[key] = max(newest[key], generation[h.ID])
	}
	return inv
}

// lifeAt is which of a client's processes ran.
func (f *facts) lifeAt(client string, at time.Time) int {
	return slices.IndexFunc(f.lives[client], func(l Life) bool { return l.End.IsZero() || !l.End.Before(at) })
}

func (f *facts) nothingLeaks() Invariant {
	return Invariant{Name: "I7", Says: "nothing leaks", Looked: len(f.mints), At: "tokens, and all secrets, sought in logs, pages and metrics", Violated: f.leaks}
}

// staticStability: no call failed for want of a token while WeChat failed.
func staticStability(calls map[string]int64, judged []Judged) Invariant {
	inv := Invariant{Name: "I8", Says: "static stability", At: "calls, with faults of WeChat's all the time"}
	for _, n := range calls {
		inv.Looked += int(n)
	}
	for _, j := range judged {
		if j.Verdict == Ours {
			inv.Violated = append(inv.Violated, fmt.Sprintf("%s: %s: %s", clock(j.Begin), j.Call, j.Why))
		}
	}
	return inv
}

// nothingLost: a token that reached its publisher is stored, or a newer one is, unless that publisher was killed.
func (f *facts) nothingLost() Invariant {
	inv := Invariant{Name: "I9", Says: "a minted token is not lost", At: "tokens that reached a publisher"}
	for _, r := range f.requests {
		if r.ID == "" {
			continue
		}
		inv.Looked++
		kept := slices.ContainsFunc(f.stored, func(v Value) bool { return v.AppID == r.AppID && (v.ID == r.ID || v.Minted.After(r.Begin)) })
		_, killed := f.during(r.End, r.End.Add(2*settling), both(on(r.Publisher, OnPublishers), kind(Killed)))
		if !kept && !killed {
			inv.Violated = append(inv.Violated, fmt.Sprintf("%s: %s, minted by %s", clock(r.End), r.ID, r.Publisher))
		}
	}
	return inv
}

// The budgets of DESIGN.md section 3, I10.
const (
	forcedApart = 30 * time.Second
	forcedADay  = 20
	askedInARow = 10
	askedRefill = 5 * time.Minute
)

func (f *facts) budgets() Invariant {
	inv := Invariant{Name: "I10", Says: "budgets", At: "mints that were forced or asked for"}
	forced := make(map[string][]time.Time)
	for _, m := range f.mints {
		if m.By == ByStranger || !strings.Contains(m.Mode, "force") {
			continue
		}
		inv.Looked++
		times := append(forced[m.AppID], m.At)
		if n := len(times); n > forcedADay || n > 1 && times[n-1].Sub(times[n-2]) < forcedApart-dueEarly {
			inv.Violated = append(inv.Violated, fmt.Sprintf("%s: forced refresh %d of %s", clock(m.At), n, m.AppID))
		}
		forced[m.AppID] = times
	}
	for _, appid := range f.appids() {
		spent := 0.0
		var last time.Time
		for _, v := range f.values(appid) {
			if v.Reason != "reported" && v.Reason != "manual" {
				continue
			}
			inv.Looked++
			spent = max(0, spent-v.Stored.Sub(last).Seconds()/askedRefill.Seconds()) + 1
			last = v.Stored
			if spent > askedInARow+1 {
				inv.Violated = append(inv.Violated, fmt.Sprintf("%s: %s was minted beyond the budget", clock(v.Stored), v.ID))
			}
		}
	}
	return inv
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
