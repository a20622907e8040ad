package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// settings are what the flags say.
type settings struct {
	short  bool
	only   *regexp.Regexp
	rounds int
	file   string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	set, err := readFlags(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		_, _ = fmt.Fprintln(stderr, "benchreport:", err)
		return 2
	}
	if err := report(ctx, set, stdout, stderr); err != nil {
		_, _ = fmt.Fprintln(stderr, "benchreport:", err)
		return 1
	}
	return 0
}

func readFlags(args []string, stderr io.Writer) (set settings, err error) {
	flags := flag.NewFlagSet("benchreport", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&set.short, "short", false, "a quick pass: one round, short ones, without what takes long")
	only := flags.String("run", "", "measure the benchmarks whose names match the `regexp`")
	flags.IntVar(&set.rounds, "count", 5, "measure each `n` times, at most; 1 with -short, unless said")
	flags.StringVar(&set.file, "o", "", "write the report to the `file`")
	if err := flags.Parse(args); err != nil {
		return set, err
	}
	counted := false
	flags.Visit(func(f *flag.Flag) { counted = counted || f.Name == "count" })
	if set.short && !counted {
		set.rounds = 1
	}
	if set.rounds < 1 || flags.NArg() > 0 {
		return set, errors.New("-count is 1 or more, and there are no arguments")
	}
	set.only, err = regexp.Compile(*only)
	return set, err
}

// report measures and writes.
func report(ctx context.Context, set settings, stdout, stderr io.Writer) error {
	if err := checkThemes(subjects(), themes()); err != nil {
		return err
	}
	tree, err := findTree(ctx)
	if err != nil {
		return err
	}
	if err := tree.checkListed(ctx, subjects(), stderr); err != nil {
		return err
	}
	host := describeHost(ctx, tree)
	found, failed := measureAll(ctx, tree, set, stderr)
	text, wrong := render(host, set, found)
	return errors.Join(failed, wrong, write(set.file, text, stdout))
}

// write writes the report to the file, or to stdout where none is named.
func write(file, text string, stdout io.Writer) error {
	if file != "" {
		return os.WriteFile(file, []byte(text), 0o644)
	}
	_, err := io.WriteString(stdout, text)
	return err
}
