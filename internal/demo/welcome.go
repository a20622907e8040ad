package demo

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// welcome says what runs, and what is worth typing in another window.
func welcome(out io.Writer, cfg Config) {
	simulated := ""
	if cfg.Sim != nil {
		simulated = "  (simulated: its tokens live a minute, and /_sim/ says how to make it fail)"
	}
	page := ""
	if cfg.StatusURL != "" {
		page = "\n  status   " + cfg.StatusURL + "  (a page for your browser)"
	}
	fmt.Fprintf(out, `A publisher, a NATS server, WeChat and a service that calls it, all in this process. Ctrl-C ends it.

  NATS     %s
  WeChat   %s%s
  account  %s%s

In another window (go install github.com/nats-io/natscli/nats@latest):

`, cfg.NATSURL, cfg.APIBase, simulated, cfg.AppID, page)
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	for _, c := range cfg.commands() {
		fmt.Fprintf(table, "  %s %s\t%s\n", cfg.natsCLI(), c.args, c.about)
	}
	table.Flush()
	fmt.Fprintln(out)
}

type cliCommand struct{ args, about string }

func (cfg Config) commands() []cliCommand {
	bucket, key := cfg.Names.Bucket, wire.Key(cfg.AppID, wire.KindAccessToken)
	refresh := cfg.Names.RefreshSubject()
	return []cliCommand{
		{"kv get --raw " + bucket + " " + key, "the token, as services read it"},
		{"kv watch " + bucket, "each new one"},
		{"kv history " + bucket + " " + key, "the last five"},
		{"req " + refresh + " ''", "ask for a new one by hand"},
		{"pub " + refresh + " '{\"appid\":\"" + cfg.AppID + "\",\"id\":\"…\",\"errcode\":42001}'", "report that a token is refused"},
		{"sub '" + cfg.Names.Prefix + ".event.>'", "what happens: the audit trail"},
		{"micro info " + wire.ServiceName, "who serves refresh requests"},
	}
}

// natsCLI is the nats command, with its server named where it would look elsewhere by itself.
func (cfg Config) natsCLI() string {
	if cfg.NeedsServerFlag {
		return "nats -s " + cfg.NATSURL
	}
	return "nats"
}
