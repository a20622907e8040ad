package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// canned are two rounds, read from what benchmarks wrote.
func canned(t *testing.T) results {
	t.Helper()
	text, err := os.ReadFile("testdata/rounds.txt")
	if err != nil {
		t.Fatal(err)
	}
	found := make(results)
	for part := range strings.SplitAfterSeq(strings.TrimSpace(string(text)), "PASS\n") {
		outcomes, err := readOutcomes([]byte(part))
		if err != nil {
			t.Fatal(err)
		}
		this := make(map[string]round)
		for _, o := range outcomes {
			if this[o.subject] == nil {
				this[o.subject] = make(round)
				found[o.subject] = append(found[o.subject], this[o.subject])
			}
			this[o.subject][o.by] = o
		}
	}
	return found
}

func TestPairing(t *testing.T) {
	found := canned(t)
	rounds := found["BenchmarkToken/cores=one"]
	if len(found) != 2 || len(rounds) != 2 {
		t.Fatalf("read %v", found)
	}
	if got := of(rounds, ours, "ns/op"); got != (spread{2, 10, 8, 12}) {
		t.Errorf("ours: %v", got)
	}
	if got := of(rounds, "redis", "ns/op"); got.n != 0 || skipped(rounds, "redis") != "redis-server is not in PATH" {
		t.Errorf("redis: %v, %q", got, skipped(rounds, "redis"))
	}
}

// A slow round slows ours and the reference alike, so a ratio of medians would tell of the machine.
func TestRatiosAreThoseOfARound(t *testing.T) {
	rounds := canned(t)["BenchmarkToken/cores=one"]
	if got := ratios(rounds, "load", "ns/op"); got != (spread{2, 1.25, 0.5, 2}) {
		t.Errorf("ratios of 8/4 and 12/24: %v", got)
	}
	if got := ratios(rounds, "load", "allocs/op"); got.n != 0 {
		t.Errorf("ratios of 0/0: %v", got)
	}
}

func TestSpread(t *testing.T) {
	if got := spreadOf([]float64{9, 1, 5}); got != (spread{3, 5, 1, 9}) {
		t.Error(got)
	}
}

func TestReport(t *testing.T) {
	found := canned(t)
	text, err := render([]fact{{"processor", "Some Processor"}}, settings{rounds: 2, only: regexp.MustCompile("")}, found)
	if err != nil {
		t.Error(err)
	}
	for _, line := range []string{
		"| processor | Some Processor |",
		"## Reading a token",
		"| `src.Token()` | 10 ns (8 ns – 12 ns) | 14 ns (4 ns – 24 ns): a bare atomic load | 1.25× (0.50 – 2) | |",
		"| `src.Token()` | 10 ns (8 ns – 12 ns) | a Redis GET on loopback was not measured: redis-server is not in PATH | | |",
		"| the same, p99 | 75 ms (60 ms – 90 ms) | 55 ms (50 ms – 60 ms): bare core NATS | 1.35× (1.20 – 1.50) | ≤ 1.30×: **short of it** |",
		"| the same, p99 | 75 ms (60 ms – 90 ms) | 100 ms (93.9 ms – 106 ms): kv.Watch | 0.76× (0.57 – 0.96) | |",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("there is no line\n%s\nin\n%s", line, text)
		}
	}
	if strings.Contains(text, "Agent") {
		t.Error("a table without lines")
	}
	for _, r := range found["BenchmarkFanOut/clients=1000"] {
		r[ours].values["p99-ms"] = 60
	}
	if text, _ = render(nil, settings{rounds: 2}, found); !strings.Contains(text, "≤ 1.30×: met |\n") {
		t.Errorf("1.1 times the reference is no more than 1.3 times:\n%s", text)
	}
}

func TestMetricsThatDoNotFit(t *testing.T) {
	found := canned(t)
	values := found["BenchmarkFanOut/clients=1000"][0][ours].values
	values["colour"] = 1
	_, err := render(nil, settings{rounds: 2}, found)
	if err == nil || !strings.Contains(err.Error(), "BenchmarkFanOut/clients=1000 reports colour, which no theme shows") {
		t.Errorf("a metric that no theme shows: %v", err)
	}
	for _, r := range found["BenchmarkFanOut/clients=1000"] {
		delete(r[ours].values, "p50-ms")
	}
	text, err := render(nil, settings{rounds: 2}, found)
	if err == nil || !strings.Contains(err.Error(), "BenchmarkFanOut/clients=1000 reports no p50-ms") {
		t.Errorf("a metric that is not reported any more: %v", err)
	}
	if !strings.Contains(text, "bare core NATS") {
		t.Errorf("the rest is lost:\n%s", text)
	}
}

func TestUnits(t *testing.T) {
	for want, one := range map[string]struct {
		value float64
		unit  string
	}{
		"7.91 ns": {7.91, "ns/op"}, "48.2 µs": {48_200, "ns/op"}, "372 ms": {372.4, "p99-ms"}, "1.40 s": {1400.4, "late-p99-ms"},
		"85.5 µs": {85.5, "p50-µs"}, "300 ms": {0.3, "rotated-s"}, "139 µs": {139.2, "cpu-µs/call"}, "46.5 KiB": {46.5, "KiB/conn"},
		"922 B": {0.9, "KiB/account"}, "1.48 KiB": {1520, "B/op"}, "59": {59, "allocs/op"}, "16400 calls/s": {16_400, "calls/s"},
	} {
		if got := show(spread{n: 1, median: one.value}, one.unit); got != want {
			t.Errorf("%v %s is shown as %q, not %q", one.value, one.unit, got, want)
		}
	}
}
