package model

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// never is every bound of world.pml; what a search names takes the place of its 0.
const never = "-DCRASHES=0 -DLOST=0 -DOVERRUNS=0 -DSTOPS=0 -DDEATHS=0 -DROTATIONS=0 -DREPORTS=0 "

// A tier tells when a search is made.
type tier int

const (
	short tier = iota // always: it takes a second or two
	plain             // not with -short
	long              // with WX_MODEL=all only
)

func (when tier) await(t *testing.T) {
	t.Helper()
	all := os.Getenv("WX_MODEL") == "all"
	if when == plain && testing.Short() && !all || when == long && !all {
		t.Skip("takes longer: see README.md")
	}
}

func TestTheModelHolds(t *testing.T) {
	for _, c := range []struct {
		when   tier
		bounds string
	}{
		{short, "DEATHS=1 REPORTS=1"},
		{short, "LOST=1 OVERRUNS=1"},
		{short, "LOST=1 CRASHES=1"},
		{short, "LOST=1 DEATHS=1"},
		{short, "STOPS=1 OVERRUNS=1"},
		{short, "STABLE LOST=1 DEATHS=1"},
		{plain, "LOST=1 CRASHES=1 OVERRUNS=1"},
		{plain, "LOST=1 STOPS=1 OVERRUNS=1"},
		{plain, "LOST=2 OVERRUNS=1"},
		{plain, "N=3 OVERRUNS=1"},
		{plain, "N=3 LOST=1 CRASHES=1"},
		{long, "LOST=1 OVERRUNS=2"},
		{long, "LOST=1 CRASHES=1 DEATHS=1"},
		{long, "LOST=1 OVERRUNS=1 DEATHS=1"},
		{long, "LOST=1 OVERRUNS=1 ROTATIONS=1"},
		{long, "LOST=2 DEATHS=1 REPORTS=1"},
		{long, "LOST=2 OVERRUNS=1 DEATHS=1"},
		{long, "LOST=1 CRASHES=1 OVERRUNS=1 DEATHS=1"},
		{long, "LOST=1 STOPS=1 OVERRUNS=1 DEATHS=1"},
		{long, "STABLE LOST=2 DEATHS=1"},
		{long, "STABLE LOST=1 DEATHS=1 ROTATIONS=1"},
		{long, "STABLE LOST=1 CRASHES=1 OVERRUNS=1 DEATHS=1"},
		{long, "N=3 CRASHES=1 OVERRUNS=1"},
		{long, "N=3 CRASHES=1 DEATHS=1"},
		{long, "N=3 LOST=1 DEATHS=1"},
		{long, "N=3 LOST=1 OVERRUNS=1"},
		{long, "N=3 LOST=1 CRASHES=1 OVERRUNS=1"},
		{long, "N=3 STOPS=1 OVERRUNS=1"},
		{long, "N=3 DEATHS=1 REPORTS=1"},
	} {
		t.Run(c.bounds, func(t *testing.T) {
			c.when.await(t)
			out := search(t, c.bounds, c.when)
			if !strings.Contains(out, "errors: 0") || strings.Contains(out, "max search depth too small") ||
				strings.Contains(out, "out of memory") || strings.Contains(out, "MEMLIM") {
				t.Fatalf("not proved:\n%s", out)
			}
			t.Log(regexp.MustCompile(`\d+ states, stored`).FindString(out))
		})
	}
}

func TestEachMistakeBreaksItsProperty(t *testing.T) {
	for _, c := range []struct{ mistake, property, bounds string }{
		{"NO_DEADLINE_CHECK", "1", "OVERRUNS=1"},
		{"NO_COMPARE_AND_SET", "2", "OVERRUNS=1"},
		{"FENCE_NEVER", "2", "OVERRUNS=1"},
		{"FENCE_ALWAYS", "9", "OVERRUNS=1"},
		{"NO_REREAD", "4", "DEATHS=1"},
		{"NO_RAISE", "6", "OVERRUNS=2 LOST=1"},
		{"NO_KEEP", "9", "OVERRUNS=1 LOST=1"},
		{"NO_DOUBT", "9", "LOST=2"},
	} {
		t.Run(c.mistake, func(t *testing.T) {
			plain.await(t)
			out := search(t, c.bounds+" "+c.mistake+" ONLY="+c.property, short)
			if !regexp.MustCompile(`assertion violated .*\(\(` + c.property + `\* ?!`).MatchString(out) {
				t.Errorf("I%s is not violated:\n%s", c.property, out)
			}
		})
	}
}

// search makes spin look at every state, up to the first that breaks a property, and returns what it says.
func search(t *testing.T, defines string, when tier) string {
	t.Helper()
	for _, program := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	dir := t.TempDir() // spin and pan leave files
	if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	args := strings.Fields(never)
	for d := range strings.FieldsSeq(defines) {
		name, _, _ := strings.Cut(d, "=")
		args = append(without(args, "-D"+name+"="), "-D"+d)
	}
	command(t, dir, "spin", append(args, "-a", "refresh.pml")...)
	optimize := "-O2"
	if when == short {
		optimize = "-O0" // gcc would take longer than the search
	}
	command(t, dir, "gcc", optimize, "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=6000", "-o", "pan", "pan.c")
	return command(t, dir, "./pan", "-m1000000", "-E", "-n")
}

func without(args []string, prefix string) (rest []string) {
	for _, arg := range args {
		if !strings.HasPrefix(arg, prefix) {
			rest = append(rest, arg)
		}
	}
	return rest
}

func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}
