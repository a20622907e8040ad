package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/wxtoken/wxtoken/internal/soak/client"
	"github.com/wxtoken/wxtoken/internal/soak/stage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if config := os.Getenv(stage.ClientEnv); config != "" {
		if err := client.Run(ctx, config, os.Stdout); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are what the command line says.
type options struct {
	lasts time.Duration
	seed  uint64
	dir   string
	out   string
}

// run returns 0 when everything held, 1 when something didn't, and 2 when the soak couldn't be run.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	held, err := soak(ctx, opts, stdout, stderr)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "soak:", err)
		return 2
	case !held:
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	var opts options
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.DurationVar(&opts.lasts, "for", time.Minute, "how long faults strike")
	flags.Uint64Var(&opts.seed, "seed", 0, "what chooses the faults; 0: a new one, which is told")
	flags.StringVar(&opts.dir, "dir", "", "folder for logs and stores, which stay there; empty: a temporary one, which stays only if something didn't hold")
	flags.StringVar(&opts.out, "o", "", "file that the report is also written to")
	if err := flags.Parse(args); err != nil {
		return opts, err
	}
	if flags.NArg() > 0 || opts.lasts <= 0 {
		fmt.Fprintf(stderr, "soak: want a duration above 0 and no arguments, not %q\n", flags.Args())
		return opts, errors.New("usage")
	}
	if opts.seed == 0 {
		opts.seed = rand.Uint64N(1_000_000_000) + 1
	}
	return opts, nil
}
