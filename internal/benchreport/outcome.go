package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// outcome is what one benchmark gave in one round.
type outcome struct {
	subject string
	by      string
	values  map[string]float64 // by unit, as the benchmark reported it
	skipped string             // why it wasn't measured
}

// skips finds a reason, behind the place in the source that gave it, and the benchmark.
var skips = regexp.MustCompile(`(?m)^\s+\S+\.go:\d+: (.*)\n\s*--- SKIP: (\S+)$`)

// readOutcomes reads what go test -bench -v writes.
func readOutcomes(out []byte) (outcomes []outcome, err error) {
	reader := benchfmt.NewReader(bytes.NewReader(out), "go test")
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.Result:
			one := nameOf(record.Name)
			one.values = valuesOf(record.Values)
			outcomes = append(outcomes, one)
		case *benchfmt.SyntaxError:
			return nil, fmt.Errorf("read benchmark: %w", record)
		}
	}
	for _, match := range skips.FindAllSubmatch(out, -1) {
		one := nameOf(benchfmt.Name(bytes.TrimPrefix(match[2], []byte("Benchmark"))))
		one.skipped = string(match[1])
		outcomes = append(outcomes, one)
	}
	return outcomes, reader.Err()
}

// nameOf splits a name, which benchfmt gives without Benchmark, into the subject's and by whom.
func nameOf(name benchfmt.Name) (o outcome) {
	base, parts := name.Parts()
	o.subject = "Benchmark" + string(base)
	for _, part := range parts {
		by, is := strings.CutPrefix(string(part), "/by=")
		switch {
		case is:
			o.by = by
		case part[0] == '/':
			o.subject += string(part)
		}
	}
	return o
}

// valuesOf undoes benchfmt's turning nanoseconds into seconds.
func valuesOf(values []benchfmt.Value) map[string]float64 {
	all := make(map[string]float64)
	for _, v := range values {
		if v.OrigUnit != "" {
			all[v.OrigUnit] = v.OrigValue
		} else {
			all[v.Unit] = v.Value
		}
	}
	return all
}
