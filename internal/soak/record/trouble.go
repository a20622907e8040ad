package record

import (
	"slices"
	"strings"
	"time"
)

// Kind is what a trouble is.
type Kind int

// The kinds of trouble.
const (
	Killed  Kind = iota // a process, without warning
	Stopped             // a process, for a time
	Cut                 // a link
	Slowed              // a link
	Lost                // a store, with all that it held
	Failing             // WeChat answers with failures of its own
	Lying               // WeChat refuses tokens that are good
	Forgot              // WeChat has forgotten all tokens
)

// The parts that a trouble can be on, beside the names of processes.
const (
	OnNATS       = "nats"       // most of the cluster, a leader, or a server that its clients can't know to be away
	OnPublishers = "publishers" // all of them
	OnMints      = "mints"      // WeChat's token endpoints and checks
	OnCalls      = "calls"      // all else of WeChat
)

// Trouble is something that was done to a part, from Begin to End.
type Trouble struct {
	Kind       Kind
	What       string
	On         []string
	Begin, End time.Time // End is zero while it lasts
}

// Trouble notes the beginning of a trouble. The returned function notes its end.
func (b *Book) Trouble(kind Kind, what string, on ...string) (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := &Trouble{Kind: kind, What: what, On: on, Begin: time.Now()}
	b.troubles = append(b.troubles, t)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		t.End = time.Now()
	}
}

// Troubles are all that were, by what they were.
func (b *Book) Troubles() map[string]int {
	count := make(map[string]int)
	for _, t := range b.snapshot().troubles {
		count[t.What]++
	}
	return count
}

// Current says what goes wrong at the moment.
func (b *Book) Current() string {
	var what []string
	for _, t := range b.snapshot().troubles {
		if t.End.IsZero() {
			what = append(what, t.What)
		}
	}
	return strings.Join(what, "; ")
}

// during finds a trouble on one of the parts that lasted into the time from begin to end, the last one.
func (f *facts) during(begin, end time.Time, is func(Trouble) bool) (Trouble, bool) {
	for _, t := range slices.Backward(f.troubles) {
		if !t.Begin.After(end) && (t.End.IsZero() || !t.End.Before(begin)) && is(t) {
			return t, true
		}
	}
	return Trouble{}, false
}

func on(parts ...string) func(Trouble) bool {
	return func(t Trouble) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return slices.Contains(t.On, part) })
	}
}

func kind(kinds ...Kind) func(Trouble) bool {
	return func(t Trouble) bool { return slices.Contains(kinds, t.Kind) }
}

func both(a, b func(Trouble) bool) func(Trouble) bool {
	return func(t Trouble) bool { return a(t) && b(t) }
}
