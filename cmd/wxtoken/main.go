// Command wxtoken is a central server for WeChat access tokens on a NATS message bus.
//
// `wxtoken demo` shows it at work with nothing configured; `wxtoken -h` lists the commands, and `wxtoken COMMAND -h` the
// environment of each.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/wxtoken/wxtoken/internal/config"
)

// Exit codes.
const (
	exitOK            = 0
	exitFailure       = 1
	exitConfiguration = 2 // bad configuration or command line; nothing was done
)

// command is one of the commands. run blocks until ctx ends or the work is done.
type command struct {
	name  string
	about string
	usage func(io.Writer) error // writes the table of its environment
	run   func(ctx context.Context, out, log io.Writer) error
}

var commands = []command{
	{"publisher", "mint and publish the tokens of your accounts", config.PublisherUsage, runPublisher},
	{"agent", "call WeChat's API without a token, in any language", config.AgentUsage, runAgent},
	{"simulator", "a simulated WeChat API, for tests", config.SimulatorUsage, runSimulator},
	{"demo", "everything in one process, to look at", config.DemoUsage, runDemo},
	{"health", "ask a running publisher whether it is ready, for health checks", config.HealthUsage, runHealth},
	{"version", "print the version", noUsage, runVersion},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process. out takes what the user asked for, log everything else.
func run(ctx context.Context, args []string, out, log io.Writer) int {
	if len(args) == 0 {
		writeHelp(log)
		return exitConfiguration
	}
	if isHelp(args[0]) {
		writeHelp(out)
		return exitOK
	}
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == args[0] })
	if i < 0 {
		fmt.Fprintf(log, "wxtoken: no command %q\n\n", args[0])
		writeHelp(log)
		return exitConfiguration
	}
	return commands[i].main(ctx, args[1:], out, log)
}

func (c command) main(ctx context.Context, args []string, out, log io.Writer) int {
	switch {
	case len(args) == 1 && isHelp(args[0]):
		fmt.Fprintf(out, "wxtoken %s: %s\n\n", c.name, c.about)
		if err := c.usage(out); err != nil {
			fmt.Fprintf(log, "wxtoken: %v\n", err)
			return exitFailure
		}
		return exitOK
	case len(args) > 0:
		fmt.Fprintf(log, "wxtoken %s: takes no arguments, it is configured by the environment (see wxtoken %s -h)\n", c.name, c.name)
		return exitConfiguration
	}
	return exitCode(c, c.run(ctx, out, log), log)
}

func exitCode(c command, err error, log io.Writer) int {
	var wrong *config.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &wrong):
		fmt.Fprintf(log, "wxtoken %s: the environment has %d mistake(s):\n", c.name, len(wrong.Mistakes))
		for _, mistake := range wrong.Mistakes {
			fmt.Fprintf(log, "  %v\n", mistake)
		}
		fmt.Fprintf(log, "wxtoken %s -h explains every variable.\n", c.name)
		return exitConfiguration
	}
	fmt.Fprintf(log, "wxtoken %s: %v\n", c.name, err)
	return exitFailure
}

func isHelp(arg string) bool { return slices.Contains([]string{"-h", "-help", "--help", "help"}, arg) }

func writeHelp(out io.Writer) {
	fmt.Fprint(out, "wxtoken is a central server for WeChat access tokens on NATS.\n\nCommands:\n")
	for _, c := range commands {
		fmt.Fprintf(out, "  %-10s %s\n", c.name, c.about)
	}
	fmt.Fprint(out, "\nThe environment configures them; `wxtoken COMMAND -h` prints its table.\n")
}

func noUsage(out io.Writer) error {
	_, err := fmt.Fprintln(out, "  It reads no variables.")
	return err
}
