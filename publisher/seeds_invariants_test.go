package publisher_test

import (
	"slices"
	"time"

	"github.com/wxtoken/wxtoken/internal/wxsim"
)

const (
	// settling is how long what was done last goes on showing: a lease, and the life of a token that was replaced.
	settling = seedLease + 5*time.Second + 2*seedTimeout
	// patience is how long a run may take to be well again, once nothing disturbs it: the wait of a forced refresh for
	// its budget is 30 s, and a report is made every second or so.
	patience = time.Minute
	// calmFor is how long nothing may go wrong after that: one rotation.
	calmFor = seedLife + 5*time.Second
)

// converge waits until the newest tokens are stored and good (I2, I8, I9: recovery needs no hand).
func (r *seedRun) converge() {
	began := time.Now()
	time.Sleep(settling)
	limit := patience
	for _, a := range r.accounts {
		if r.askedMints(a) >= 10 { // the budget is spent: the schedule brings the next token
			limit = seedLife + patience
		}
	}
	for {
		wrong := ""
		for i, a := range r.accounts {
			if problem := r.unwell(a); problem != "" {
				wrong = problem
			} else if tok, ok := r.readers[i].token(); !ok || r.sim.CheckToken(tok.AccessToken()) != 0 {
				wrong = "the service of " + a.appid + " has no good token"
			}
		}
		switch {
		case wrong == "":
			r.did("well again after %v", time.Since(began))
			return
		case time.Since(began) > limit:
			r.violated("I2, I8, I9", "%v after all faults: %s", limit, wrong)
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// unwell tells what is wrong with the account's key.
func (r *seedRun) unwell(a *seedAccount) string {
	r.keys.catchUp()
	v, found := r.keys.current(a.appid)
	newest, err := r.sim.Token(a.appid, a.channel)
	switch {
	case err != nil:
		return err.Error()
	case !found:
		return a.appid + " has no token"
	case r.sim.CheckToken(v.Token.Reveal()) != 0:
		return a.appid + " has the dead token " + v.ID
	case v.ID != newest.ID && time.Since(newest.MintedAt) > 100*time.Millisecond:
		return a.appid + " has " + v.ID + ", which is not the newest"
	}
	return ""
}

// askedMints counts mints that somebody asked for, those that failed as well: each may have taken from the budget.
func (r *seedRun) askedMints(a *seedAccount) int {
	n := a.manuals
	for _, c := range r.mintCalls(a) {
		if !slices.Contains(c.why, "near its end") && !slices.Contains(c.why, "missing") {
			n++
		}
	}
	return n
}

// watchCalm looks for gaps while everything works (I6).
func (r *seedRun) watchCalm() {
	for end := time.Now().Add(calmFor); time.Now().Before(end) && !r.t.Failed(); time.Sleep(333 * time.Millisecond) {
		for i, a := range r.accounts {
			tok, ok := r.readers[i].token()
			if code := r.sim.CheckToken(tok.AccessToken()); !ok || code != 0 {
				r.violated("I6", "in the calm the service of %s has a token that WeChat refuses with %d", a.appid, code)
			}
		}
	}
	for _, a := range r.accounts {
		if problem := r.unwell(a); problem != "" {
			r.violated("I2", "after the calm: %s", problem)
		}
	}
}

func (r *seedRun) checkAll() {
	r.keys.catchUp()
	for _, a := range r.accounts {
		calls := r.mintCalls(a)
		r.checkOneMinter(calls)
		r.checkRepeats(calls)
		r.checkHistory(a)
		r.checkWaste(a, calls)
		r.checkForced(a, calls)
	}
}

// mintCalls are those that came to WeChat, in their order.
func (r *seedRun) mintCalls(a *seedAccount) (calls []*wxCall) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.calls {
		if c.account == a && c.step == "mint" && !c.sent.IsZero() {
			calls = append(calls, c)
		}
	}
	slices.SortStableFunc(calls, func(x, y *wxCall) int { return x.sent.Compare(y.sent) })
	return calls
}

// end is when the publisher was done with the call, or was no more.
func (c *wxCall) end() time.Time {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	switch {
	case c.ended.IsZero():
		return c.sent
	case c.p.isDead && c.p.diedAt.Before(c.ended):
		return c.p.diedAt
	}
	return c.ended
}

// checkOneMinter is I1: of publishers that run, one mints at a time, under a lease that outlasts the call. A call that was
// held comes late by no fault of the lease. A store that is lost loses leases.
func (r *seedRun) checkOneMinter(calls []*wxCall) {
	for i, c := range calls {
		if c.wrong != "" {
			r.violated("I1", "%s mints for %s at %s although %s", c.p.name, c.account.appid, r.at(c.asked), c.wrong)
		}
		for _, before := range calls[:i] {
			if before.p != c.p && !before.held && !c.held && before.end().After(c.sent) && !r.wasEmptied(before.sent.Add(-seedLease), c.sent) {
				r.violated("I1", "%s mints for %s at %s while %s does until %s", c.p.name, c.account.appid, r.at(c.sent), before.p.name, r.at(before.end()))
			}
		}
	}
}

// checkRepeats is a part of I9: a mint without an answer is repeated at once.
func (r *seedRun) checkRepeats(calls []*wxCall) {
	isRepeat := make(map[*wxCall]bool) // by the call: several may be made in one instant
	for i, c := range calls {
		if c.answered || c.held || c.late || c.ended.IsZero() || isRepeat[c] {
			continue
		}
		until := c.ended.Add(200 * time.Millisecond)
		later := calls[i+1:]
		next := slices.IndexFunc(later, func(o *wxCall) bool { return o.p == c.p && !o.asked.Before(c.ended) })
		switch {
		case next >= 0 && !later[next].asked.After(until):
			isRepeat[later[next]] = true
		case !c.p.wasTroubled(c.asked.Add(-seedLease), until) && !r.wasDown(c.asked.Add(-seedLease), until):
			r.violated("I9", "the mint of %s for %s that ended at %s without an answer wasn't repeated", c.p.name, c.account.appid, r.at(c.ended))
		}
	}
}

// checkHistory is I2, I6 and I8: tokens on the key follow each other as WeChat minted them, and generations rise.
func (r *seedRun) checkHistory(a *seedAccount) {
	minted := make(map[string]wxsim.Mint)
	for _, m := range r.sim.Ledger(a.appid) {
		minted[m.ID] = m
	}
	late := make(map[string]bool) // tokens that a stopped publisher minted late: the fences order them otherwise
	for _, c := range r.mintCalls(a) {
		late[c.id] = late[c.id] || c.held || c.late
	}
	var last keyEntry
	for i, e := range r.keys.of(a.appid) {
		m, known := minted[e.value.ID]
		switch sameStore := i > 0 && last.epoch == e.epoch; {
		case e.bad != "" || !known || m.Channel != a.channel:
			r.violated("I8", "%s holds what WeChat never gave, %s, at revision %d", a.appid, e.bad, e.revision)
		case sameStore && e.value.Generation <= last.value.Generation:
			r.violated("I6", "%s holds generation %d after %d at revision %d", a.appid, e.value.Generation, last.value.Generation, e.revision)
		case sameStore && m.Seq < minted[last.value.ID].Seq && !late[e.value.ID] && !late[last.value.ID]:
			r.violated("I2", "%s holds %s after the newer %s at revision %d", a.appid, e.value.ID, last.value.ID, e.revision)
		}
		last = e
	}
}

// checkWaste is I3, I4 and I5: something spoke for each mint when it was begun.
func (r *seedRun) checkWaste(a *seedAccount, calls []*wxCall) {
	unexplained := 0
	mints, by := r.mintersOf(a, calls)
	for i, c := range by {
		if mints[i].Mode == wxsim.ModeNormal || len(c.why) > 0 {
			continue
		}
		if unexplained++; unexplained > a.manuals {
			r.violated("I3, I4, I5", "nothing speaks for the mint of %s for %s at %s, and %d requests by hand", c.p.name, a.appid, r.at(c.asked), a.manuals)
		}
	}
}

// mintersOf finds the call that made each mint of ours. Of several in one instant, the first made the first.
func (r *seedRun) mintersOf(a *seedAccount, calls []*wxCall) (mints []wxsim.Mint, by []*wxCall) {
	rest := slices.Clone(calls)
	for _, m := range r.sim.Ledger(a.appid) {
		if m.By != wxsim.ByClient || m.Channel != a.channel {
			continue
		}
		i := slices.IndexFunc(rest, func(c *wxCall) bool { return c.sent.Equal(m.At) && (c.id == m.ID || c.id == "") })
		if i < 0 {
			r.violated("I1", "nobody made the mint %s of %s", m.ID, a.appid)
			continue
		}
		mints, by = append(mints, m), append(by, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	return mints, by
}

// checkForced is a part of I10. The budget is spent when a call is asked for; a held one comes later. A store that is
// lost loses budgets.
func (r *seedRun) checkForced(a *seedAccount, calls []*wxCall) {
	var last time.Time
	n := 0
	mints, by := r.mintersOf(a, calls)
	for i, c := range by {
		if mints[i].Mode != wxsim.ModeForce {
			continue
		}
		if !last.IsZero() && c.asked.Sub(last) < 30*time.Second-time.Second && !r.wasEmptied(last.Add(-time.Second), c.asked) {
			r.violated("I10", "%s forces at %s, %v after the last time", a.appid, r.at(c.asked), c.asked.Sub(last))
		}
		last = c.asked
		n++
	}
	if n > 20 {
		r.violated("I10", "%d forced refreshes of %s", n, a.appid)
	}
}
