package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wxtoken/wxtoken/internal/soak/record"
)

// report is what a soak came to.
type report struct {
	opts       options
	took       time.Duration
	book       *record.Book
	judged     []record.Judged
	mints      []record.MintFor
	invariants []record.Invariant
	b          strings.Builder
}

func newReport(book *record.Book, opts options, took time.Duration) *report {
	return &report{opts: opts, took: took, book: book, judged: book.Judge(), mints: book.Mints(), invariants: book.Invariants()}
}

// held tells whether all was as it must be.
func (r *report) held() bool {
	for _, inv := range r.invariants {
		if len(inv.Violated) > 0 {
			return false
		}
	}
	return record.Verdicts(r.judged)[record.Ours] == 0
}

func (r *report) line(format string, args ...any) { fmt.Fprintf(&r.b, format+"\n", args...) }

func (r *report) markdown() string {
	faults := r.book.Troubles()
	count := 0
	for _, n := range faults {
		count += n
	}
	r.line("| soak of %v, seed %d, tokens of %v | |\n|---|---|", r.took.Round(time.Second), r.opts.seed, tokenLife)
	r.line("| faults that struck | %d of %d kinds |", count, len(faults))
	r.line("| rotations | %d |", r.book.Rotations())
	r.calls()
	r.mintLines()
	r.freshness()
	r.line("\n| invariant | looked at | violated |\n|---|---|---|")
	for _, inv := range r.invariants {
		r.line("| %s %s | %s %s | %d |", inv.Name, inv.Says, number(int64(inv.Looked)), inv.At, len(inv.Violated))
	}
	r.line("\n| fault | struck |\n|---|---|")
	for _, what := range slices.SortedFunc(maps.Keys(faults), func(a, b string) int { return faults[b] - faults[a] }) {
		r.line("| %s | %d |", what, faults[what])
	}
	r.wrong()
	return r.b.String()
}

func (r *report) calls() {
	calls, failed, sum := r.book.Calls(), record.Verdicts(r.judged), int64(0)
	var by []string
	for _, client := range slices.Sorted(maps.Keys(calls)) {
		sum += calls[client]
		by = append(by, client+" "+number(calls[client]))
	}
	r.line("| calls | %s (%s) |", number(sum), strings.Join(by, ", "))
	r.line("| failed: WeChat itself failed them, was away, or refused a good token | %s |", number(int64(failed[record.WeChat])))
	r.line("| failed: the token was dead at WeChat and a fault barred every way to a new one, or the client or its agent was struck | %s |", r.why(record.NoWay))
	r.line("| **failed: ours** | **%d** |", failed[record.Ours])
}

// why counts the reasons of a verdict.
func (r *report) why(v record.Verdict) string {
	why, count := record.Reasons(r.judged, v)
	var parts []string
	for _, reason := range why {
		parts = append(parts, fmt.Sprintf("%d: %s", count[reason], reason))
	}
	total := number(int64(record.Verdicts(r.judged)[v]))
	if len(parts) == 0 {
		return total
	}
	return total + " (" + strings.Join(parts, "; ") + ")"
}

func (r *report) mintLines() {
	purposes := make(map[record.Purpose]int)
	why := make(map[string]int)
	for _, m := range r.mints {
		purposes[m.Purpose]++
		if m.Purpose == record.Repeated {
			why[m.Why]++
		}
	}
	var parts []string
	for _, reason := range slices.SortedFunc(maps.Keys(why), func(a, b string) int { return why[b] - why[a] }) {
		parts = append(parts, fmt.Sprintf("%d: %s", why[reason], reason))
	}
	r.line("| mints, of which needed: the least number possible | %d, %d |", len(r.mints), purposes[record.Needed])
	repeated := fmt.Sprint(purposes[record.Repeated])
	if len(parts) > 0 {
		repeated += " (" + strings.Join(parts, "; ") + ")"
	}
	r.line("| mints repeated after a fault | %s |", repeated)
	r.line("| **mints wasted** | **%d** |", purposes[record.Wasted])
}

func (r *report) freshness() {
	for _, client := range slices.Sorted(maps.Keys(r.book.Calls())) {
		f := r.book.Freshness(client)
		during := ""
		if f.During != "" {
			during = " (" + f.During + ")"
		}
		r.line("| longest without the newest token: %s | %v%s; %v after the last fault on its way had ended |",
			client, f.Longest.Round(time.Millisecond), during, f.Healed.Round(time.Millisecond))
	}
}

// wrong lists what must not be.
func (r *report) wrong() {
	const most = 20 // of one kind: the logs have the others
	for _, inv := range r.invariants {
		for i, what := range inv.Violated {
			if i == 0 {
				r.line("\n%s %s, violated:", inv.Name, inv.Says)
			}
			if i < most {
				r.line("- %s", what)
			}
		}
	}
}

// number writes 1234567 as 1,234,567.
func number(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
