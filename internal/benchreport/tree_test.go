package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFindTree(t *testing.T) {
	found, err := findTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(string(found), "internal/benchreport/tree_test.go")); err != nil {
		t.Error(err)
	}
	dirs, err := found.modules()
	if err != nil || !slices.Contains(dirs, ".") || !slices.Contains(dirs, "internal/benchreport") || slices.Contains(dirs, "internal/benchreport/testdata/tiny") {
		t.Errorf("modules %v, %v", dirs, err)
	}
}

func TestForgottenBenchmark(t *testing.T) {
	text, err := os.ReadFile("testdata/list.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := readList(text)
	known := []subject{{pkg: "subscriber", name: "BenchmarkToken/cores=one"}, {pkg: "subscriber", name: "BenchmarkUpdate"},
		{pkg: "internal/statuspage", name: "BenchmarkNews"}}
	if err := compareLists(listed, known); err != nil {
		t.Errorf("all are known: %v", err)
	}
	err = compareLists(listed, known[1:])
	if err == nil || !strings.Contains(err.Error(), "BenchmarkToken in subscriber is not in the report") {
		t.Errorf("a forgotten benchmark: %v", err)
	}
	err = compareLists(listed, append(slices.Clone(known), subject{pkg: "publisher", name: "BenchmarkNews"}))
	if err == nil || !strings.Contains(err.Error(), "BenchmarkNews is not in publisher any more") {
		t.Errorf("a benchmark that is gone: %v", err)
	}
}

func TestEverySubjectIsShown(t *testing.T) {
	if err := checkThemes(subjects(), themes()); err != nil {
		t.Error(err)
	}
	err := checkThemes(append(subjects(), subject{name: "BenchmarkNew/by=day"}), themes())
	if err == nil || !strings.Contains(err.Error(), "no theme shows BenchmarkNew/by=day") {
		t.Errorf("a subject without a theme: %v", err)
	}
	if err := checkThemes(subjects()[1:], themes()); err == nil {
		t.Error("a row without a subject")
	}
}

// What this finds, the next report would stop at.
func TestEveryBenchmarkIsASubject(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles all tests that there are")
	}
	found, err := findTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := found.checkListed(t.Context(), subjects(), t.Output()); err != nil {
		t.Error(err)
	}
}

// Real benchmarks, of a module that has nothing else.
func TestMeasuring(t *testing.T) {
	tiny := subject{pkg: "tiny", name: "BenchmarkTiny/size=1", time: "1x", references: []reference{{by: "one.two"}}}
	p := program{t.TempDir() + "/tiny", "testdata/tiny"}
	if _, err := tree("testdata").goCommand(t.Context(), "tiny", "test", "-c", "-o", p.file, "."); err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		r, err := p.round(t.Context(), tiny, n, false)
		if err != nil || r[ours].values["p99-ms"] != 3 || r["one.two"].skipped != "no such program" {
			t.Errorf("round %d: %v, %v", n, r, err)
		}
	}
	tiny.references = []reference{{by: "broken"}, {by: "nobody"}, {by: "one.two"}}
	r, err := p.round(t.Context(), tiny, 0, false)
	if err == nil || !strings.Contains(err.Error(), "out of order") || !strings.Contains(err.Error(), "by nobody is not there") {
		t.Errorf("a broken one and one that isn't there: %v", err)
	}
	if len(r) != 2 {
		t.Errorf("two failed, so two are left: %v", r)
	}
}

func TestFlags(t *testing.T) {
	for _, args := range []string{"-count=0", "-run=(", "-wrong", "more"} {
		if code := run(t.Context(), []string{args}, io.Discard, io.Discard); code != 2 {
			t.Errorf("%s: exit code %d", args, code)
		}
	}
	for _, c := range []struct {
		args string
		want int
	}{{"", 5}, {"-short", 1}, {"-short -count=3", 3}} {
		if set, err := readFlags(strings.Fields(c.args), io.Discard); err != nil || set.rounds != c.want {
			t.Errorf("%q: %d rounds, %v", c.args, set.rounds, err)
		}
	}
}
