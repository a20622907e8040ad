package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// render writes the report. Where it tells of problems, the text is good apart from them.
func render(host []fact, set settings, found results) (string, error) {
	var text strings.Builder
	text.WriteString("# Benchmarks of wxtoken\n\n| | |\n|---|---|\n")
	for _, f := range host {
		fmt.Fprintf(&text, "| %s | %s |\n", f.name, f.value)
	}
	fmt.Fprintf(&text, "\nEach figure is the median of its rounds (least – greatest), %d at most; one without a spread was measured once. Ours and "+
		"its reference\nrun one right after the other. A ratio is ours to the reference's of the same round; goals are compared with medians.\n", set.rounds)
	if set.short {
		text.WriteString("This was a quick pass (`-short`): its figures mean little.\n")
	}
	problems := []error{unshown(found, themes())}
	for _, t := range themes() {
		lines, err := t.lines(found)
		problems = append(problems, err)
		if len(lines) > 0 {
			fmt.Fprintf(&text, "\n## %s\n\n| | ours | reference | ratio | goal |\n|---|---|---|---|---|\n%s\n", t.title, strings.Join(lines, "\n"))
		}
	}
	return text.String(), errors.Join(problems...)
}

// lines are the table's, of what was asked for.
func (t theme) lines(found results) (lines []string, err error) {
	var problems []error
	for _, r := range t.rows {
		if rounds := found[r.subject]; len(rounds) > 0 {
			more, err := r.lines(rounds)
			problems = append(problems, err)
			lines = append(lines, more...)
		}
	}
	return lines, errors.Join(problems...)
}

// lines is one for each reference, or for ours alone.
func (r row) lines(rounds []round) (lines []string, err error) {
	mine := of(rounds, ours, r.unit)
	if mine.n == 0 {
		if why := skipped(rounds, ours); why != "" {
			return []string{line(r.what, "not measured: "+why, "", "", "")}, nil
		}
		return nil, fmt.Errorf("%s reports no %s", r.subject, r.unit)
	}
	for _, ref := range referencesOf(r.subject) {
		its, why := of(rounds, ref.by, r.unit), skipped(rounds, ref.by)
		cell := show(its, r.unit) + ": " + ref.label
		switch {
		case its.n == 0 && why == "":
			continue // it has no such metric
		case its.n == 0:
			cell = ref.label + " was not measured: " + why
		}
		lines = append(lines, line(r.what, show(mine, r.unit), cell, showRatio(ratios(rounds, ref.by, r.unit)), r.judge(ref.by, len(lines) == 0, rounds)))
	}
	if len(lines) == 0 {
		lines = append(lines, line(r.what, show(mine, r.unit), "", "", r.judge("", true, rounds)))
	}
	return lines, nil
}

func line(cells ...string) string {
	return strings.ReplaceAll("| "+strings.Join(cells, " | ")+" |", "  ", " ")
}

// skipped is why that one was not measured, or nothing.
func skipped(rounds []round, by string) string {
	for _, r := range rounds {
		if why := r[by].skipped; why != "" {
			return why
		}
	}
	return ""
}

func referencesOf(name string) []reference {
	all := subjects()
	return all[slices.IndexFunc(all, func(s subject) bool { return s.name == name })].references
}

// judge compares with the goal, on the line of the reference that it is beside, or on the first.
func (r row) judge(by string, first bool, rounds []round) string {
	bound, got := show(spread{n: 1, median: r.goal.most}, r.unit), of(rounds, ours, r.unit)
	if r.goal.beside != "" {
		bound, got = showRatio(spread{n: 1, median: r.goal.most}), ratios(rounds, r.goal.beside, r.unit)
		first = by == r.goal.beside
	}
	if r.goal.most == 0 || !first || got.n == 0 {
		return ""
	}
	if r.goal.from != "" {
		bound += " (" + r.goal.from + ")"
	}
	if got.median > r.goal.most {
		return "≤ " + bound + ": **short of it**"
	}
	return "≤ " + bound + ": met"
}

// testingUnits come from the testing package for every benchmark, wanted or not.
var testingUnits = []string{"ns/op", "B/op", "allocs/op"}

// unshown tells of metrics that benchmarks report and no theme shows, of any of their variants.
func unshown(found results, themes []theme) error {
	type metric struct{ function, unit string }
	shown := make(map[metric]bool)
	for _, t := range themes {
		for _, r := range t.rows {
			shown[metric{base(r.subject), r.unit}] = true
		}
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(found)) {
		for unit := range found[name][0][ours].values {
			if !shown[metric{base(name), unit}] && !slices.Contains(testingUnits, unit) {
				problems = append(problems, fmt.Errorf("%s reports %s, which no theme shows", name, unit))
			}
		}
	}
	return errors.Join(problems...)
}

// base is the benchmark function of a subject.
func base(name string) string {
	function, _, _ := strings.Cut(name, "/")
	return function
}
