package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
)

var errUsage = errors.New("usage: supply licences ROOT | supply sbom ROOT BINARY")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := do(ctx, args, stdout)
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, err)
		return 2
	case err != nil:
		fmt.Fprintln(stderr, "supply:", err)
		return 1
	}
	return 0
}

func do(ctx context.Context, args []string, stdout io.Writer) error {
	switch {
	case len(args) == 2 && args[0] == "licences":
		modules, err := linkedModules(ctx, args[1])
		if err != nil {
			return err
		}
		return writeTable(stdout, modules)
	case len(args) == 3 && args[0] == "sbom":
		modules, err := linkedModules(ctx, args[1])
		if err != nil {
			return err
		}
		return writeSBOM(stdout, args[2], modules)
	}
	return errUsage
}
