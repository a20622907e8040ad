package record

import "time"

// Freshness is how long a client was without a token that was stored already, at the longest.
type Freshness struct {
	Longest time.Duration // from when it was stored, or the client's process began
	Healed  time.Duration // the same, counted from the end of the last fault on NATS, the client or its agent that lasted into that time
	During  string        // the fault on its way at the longest, if there was one
	Values  int           // how many stored values that was looked at for
}

// Freshness looks at every value of the store that came while the client ran.
func (b *Book) Freshness(client string) Freshness {
	f := b.snapshot()
	var all Freshness
	for _, appid := range f.appids() {
		values := f.values(appid)
		for i, v := range values {
			from, until, ok := f.without(client, values[i:])
			if !ok {
				continue
			}
			all.Values++
			all.take(f, client, v.Stored, from, until)
		}
	}
	return all
}

func (all *Freshness) take(f *facts, client string, stored, from, until time.Time) {
	took := max(0, until.Sub(from))
	barred := func(t Trouble) bool { return on(append(f.pathOf(client), OnNATS)...)(t) || kind(Lost)(t) }
	t, found := f.during(stored, until, barred)
	healed := took
	if found && t.End.After(from) {
		healed = max(0, until.Sub(t.End))
	}
	if took > all.Longest {
		all.Longest, all.During = took, ""
		if found {
			all.During = t.What
		}
	}
	all.Healed = max(all.Healed, healed)
}

// without is when the client missed the first of the values, and when it had it or a newer one.
func (f *facts) without(client string, values []Value) (from, until time.Time, ok bool) {
	for _, life := range f.lives[client] {
		if !life.End.IsZero() && !life.End.After(values[0].Stored) {
			continue
		}
		from = values[0].Stored
		if life.Begin.After(from) {
			from = life.Begin
		}
		if until, ok = f.firstHold(client, values, life); ok {
			return from, until, true
		}
		if life.End.IsZero() {
			return time.Time{}, time.Time{}, false // it came at the very end: what is missing then is told elsewhere
		}
	}
	return time.Time{}, time.Time{}, false
}

func (f *facts) firstHold(client string, values []Value, life Life) (time.Time, bool) {
	for _, h := range f.holds {
		if h.Client != client || h.At.Before(life.Begin) || !life.End.IsZero() && h.At.After(life.End) {
			continue
		}
		for _, v := range values {
			if v.ID == h.ID {
				return h.At, true
			}
		}
	}
	return time.Time{}, false
}
