package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// round is what a subject and its references gave in one round.
type round map[string]outcome // by whom

// results are the rounds of each subject.
type results map[string][]round

// measureAll measures the subjects that set asks for. When some fail, others go on: they took their time.
func measureAll(ctx context.Context, t tree, set settings, progress io.Writer) (results, error) {
	dir, err := os.MkdirTemp("", "benchreport")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it was only for that
	chosen := slices.DeleteFunc(subjects(), func(s subject) bool { return !set.only.MatchString(s.name) })
	programs, err := compile(ctx, t, chosen, dir, progress)
	if err != nil {
		return nil, err
	}
	found := make(results)
	var problems []error
	for n := range set.rounds {
		for _, s := range chosen {
			if s.rounds > 0 && n >= s.rounds || ctx.Err() != nil {
				continue
			}
			_, _ = fmt.Fprintf(progress, "round %d of %d: %s", n+1, set.rounds, s.name)
			began := time.Now()
			r, err := programs[s.pkg].round(ctx, s, n, set.short)
			_, _ = fmt.Fprintf(progress, ", %.1f s\n", time.Since(began).Seconds())
			if ctx.Err() == nil {
				problems = append(problems, err)
				found[s.name] = append(found[s.name], r)
			}
		}
	}
	return found, errors.Join(append(problems, ctx.Err())...)
}

// program is a package's compiled tests.
type program struct {
	file string
	dir  string // of the package
}

// compile makes the programs by package, so that nothing but benchmarks runs while they run.
func compile(ctx context.Context, t tree, subjects []subject, dir string, progress io.Writer) (map[string]program, error) {
	programs := make(map[string]program)
	for _, s := range subjects {
		if _, done := programs[s.pkg]; done {
			continue
		}
		_, _ = fmt.Fprintf(progress, "compile %s\n", s.pkg)
		p := program{filepath.Join(dir, strings.ReplaceAll(s.pkg, "/", "-")), filepath.Join(string(t), s.pkg)}
		if _, err := t.goCommand(ctx, ".", "test", "-c", "-o", p.file, "./"+s.pkg); err != nil {
			return nil, err
		}
		programs[s.pkg] = p
	}
	return programs, nil
}

// round measures s and its references, in reverse order each second time.
func (p program) round(ctx context.Context, s subject, n int, short bool) (round, error) {
	order := []string{ours}
	for _, r := range s.references {
		order = append(order, r.by)
	}
	if n%2 == 1 {
		slices.Reverse(order)
	}
	done := make(round)
	var problems []error
	for _, by := range order {
		one, err := p.measure(ctx, s, by, short)
		problems = append(problems, err)
		if err == nil {
			done[by] = one
		}
	}
	return done, errors.Join(problems...)
}

// measure runs one benchmark in a process of its own.
func (p program) measure(ctx context.Context, s subject, by string, short bool) (outcome, error) {
	args := []string{"-test.run=^$", "-test.bench=" + pattern(s.name+"/by="+by), "-test.benchmem", "-test.v", "-test.timeout=15m"}
	if short {
		args = append(args, "-test.short", "-test.benchtime="+s.shortTime())
	} else {
		args = append(args, "-test.benchtime="+s.time)
	}
	cmd := exec.CommandContext(ctx, p.file, args...)
	cmd.Dir = p.dir
	cmd.Env = append(cmd.Environ(), "TMPDIR="+filepath.Dir(p.file)) // so that nothing is left of one that was cut short
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // and what it started
	out, err := cmd.CombinedOutput()
	if err != nil {
		return outcome{}, fmt.Errorf("%s by %s: %w\n%s", s.name, by, err, out)
	}
	outcomes, err := readOutcomes(out)
	if err != nil {
		return outcome{}, err
	}
	if len(outcomes) != 1 || outcomes[0].subject != s.name || outcomes[0].by != by {
		return outcome{}, fmt.Errorf("%s by %s is not there\n%s", s.name, by, out)
	}
	return outcomes[0], nil
}

// pattern is a -bench that matches one name.
func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}
