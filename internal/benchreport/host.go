package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// fact is a line of the report's head.
type fact struct{ name, value string }

// describeHost tells on what the measurements run. What can't be found out is left out.
func describeHost(ctx context.Context, t tree) []fact {
	facts := []fact{
		{"date", time.Now().UTC().Format("2006-01-02 15:04 UTC")},
		{"commit", t.commit(ctx)},
		{"processor", field("/proc/cpuinfo", "model name")},
		{"cores", strconv.Itoa(runtime.NumCPU())},
		{"memory", gibibytes(field("/proc/meminfo", "MemTotal"))},
		{"system", strings.TrimSpace(runtime.GOOS + " " + firstWord("/proc/sys/kernel/osrelease"))},
		{"Go", t.output(ctx, "go", "env", "GOVERSION")},
		{"nats-server", t.version(ctx, "github.com/nats-io/nats-server/v2")},
		{"nats.go", t.version(ctx, "github.com/nats-io/nats.go")},
		{"Redis", redisVersion(t.output(ctx, "redis-server", "--version"))},
		{"load average before", firstWord("/proc/loadavg")},
	}
	var known []fact
	for _, f := range facts {
		if f.value != "" {
			known = append(known, f)
		}
	}
	return known
}

// output is what a command writes, or nothing if it fails.
func (t tree) output(ctx context.Context, name string, args ...string) string {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = string(t)
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func (t tree) commit(ctx context.Context) string {
	return t.output(ctx, "git", "describe", "--always", "--dirty", "--exclude=*")
}

func (t tree) version(ctx context.Context, module string) string {
	return t.output(ctx, "go", "list", "-m", "-f", "{{.Version}}", module)
}

// redisVersion finds the version in what redis-server says of itself: "Redis server v=7.0.15 sha=…".
func redisVersion(said string) string {
	for word := range strings.FieldsSeq(said) {
		if version, is := strings.CutPrefix(word, "v="); is {
			return version
		}
	}
	return "not installed"
}

// field is the value behind "name:" in a file.
func field(path, name string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }() // it was only read
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func firstWord(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	word, _, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	return word
}

// gibibytes turns "8141836 kB" into GiB.
func gibibytes(total string) string {
	kb, err := strconv.ParseFloat(strings.TrimSuffix(total, " kB"), 64)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%.1f GiB", kb/(1<<20))
}
