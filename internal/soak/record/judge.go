package record

import (
	"maps"
	"slices"
	"time"
)

// Verdict is whose fault a failed call is.
type Verdict int

// The verdicts.
const (
	Ours   Verdict = iota // nothing excuses it
	WeChat                // WeChat itself failed the call, didn't answer it, or refused a good token
	NoWay                 // WeChat had ended the token early while a fault of the soak barred every way to a new one, or the client or its agent was itself the one struck
)

// settling is how long a fault goes on showing after its end: connections are made anew, and the cluster elects.
const settling = 5 * time.Second

// Judged is a failed call and what is thought of it.
type Judged struct {
	Fail
	Verdict Verdict
	Why     string
}

// Judge looks at every failed call.
func (b *Book) Judge() []Judged {
	f := b.snapshot()
	judged := make([]Judged, len(f.fails))
	for i, fail := range f.fails {
		verdict, why := f.judge(fail)
		judged[i] = Judged{Fail: fail, Verdict: verdict, Why: why}
	}
	return judged
}

func (f *facts) judge(fail Fail) (Verdict, string) {
	attempts := f.attempts[fail.Call]
	if len(attempts) > 0 {
		switch last := attempts[len(attempts)-1]; {
		case last.Refused:
			return f.judgeRefused(fail, last)
		case !last.Unanswered:
			return WeChat, last.What
		}
	}
	if t, ok := f.during(fail.Begin.Add(-time.Second), fail.End, on(OnCalls)); ok {
		return WeChat, t.What
	}
	if t, ok := f.during(fail.Begin.Add(-settling), fail.End, both(on(f.pathOf(fail.Client)...), kind(Killed, Stopped, Cut))); ok {
		return NoWay, t.What
	}
	return Ours, fail.What
}

// judgeRefused is about a call whose last attempt ended with a refused token.
func (f *facts) judgeRefused(fail Fail, last Attempt) (Verdict, string) {
	if t, ok := f.during(last.Begin, last.End, kind(Lying)); ok {
		return WeChat, t.What
	}
	if !f.deadAt(last.TokenID, last.End) {
		return Ours, "the token was refused, and nobody had ended it early: " + last.What
	}
	way := append(f.pathOf(fail.Client), OnNATS, OnPublishers)
	if t, ok := f.during(fail.Begin.Add(-settling), fail.End, on(way...)); ok {
		return NoWay, t.What
	}
	if t, ok := f.during(fail.Begin, fail.End, on(OnMints)); ok && f.askedInVain(fail) {
		return NoWay, t.What
	}
	return Ours, "the token had died early, and no new one came though nothing barred the way: " + last.What
}

// askedInVain tells whether publishers asked WeChat for a token, or whether one is good, while the call lasted, and WeChat
// failed.
func (f *facts) askedInVain(fail Fail) bool {
	during := func(begin, end time.Time) bool { return !begin.After(fail.End) && !end.Before(fail.Begin) }
	return slices.ContainsFunc(f.requests, func(r MintRequest) bool { return r.AppID == fail.AppID && r.ID == "" && during(r.Begin, r.End) }) ||
		slices.ContainsFunc(f.attempts[""], func(a Attempt) bool { return !a.Refused && during(a.Begin, a.End) }) // checks bear no name of a call
}

// pathOf are the processes between a client and NATS.
func (f *facts) pathOf(client string) []string {
	path := []string{client}
	if agent, ok := f.rules.Through[client]; ok {
		path = append(path, agent)
	}
	return path
}

// Verdicts counts.
func Verdicts(judged []Judged) map[Verdict]int {
	count := make(map[Verdict]int)
	for _, j := range judged {
		count[j.Verdict]++
	}
	return count
}

// Reasons counts why calls failed that have that verdict, the most frequent first.
func Reasons(judged []Judged, verdict Verdict) (why []string, count map[string]int) {
	count = make(map[string]int)
	for _, j := range judged {
		if j.Verdict == verdict {
			count[j.Why]++
		}
	}
	why = slices.SortedFunc(maps.Keys(count), func(a, b string) int { return count[b] - count[a] })
	return why, count
}
