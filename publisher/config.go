package publisher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// Config is what a Publisher needs to know. Durations have no defaults here: the command has them, and documents them.
type Config struct {
	Conn     *nats.Conn // stays the caller's; made with bus.Connect, so that nothing is replayed after a reconnect
	Accounts []Account  // at least one; SetAccounts gives others later
	Names    wire.Names // wire.DefaultNames, mostly; the zero value is a mistake
	Replicas int        // of buckets that are created; 0 = 1

	// When to refresh. All publishers of one bucket should have the same values.
	RefreshAhead       time.Duration // before a token's end, but at most half of its life; more than LeaseTTL
	RefreshEvery       time.Duration // a fixed rate beside that; 0 = none
	InitialDelay       time.Duration // before the first refresh of an account that has no token; 0 = none
	MinRefreshInterval time.Duration // manual requests nearer than this to the last mint are too soon; 0 = none are
	VerifyReports      bool          // ask WeChat whether a reported token is really dead

	HTTPTimeout time.Duration // of one call to WeChat, as the Minters have it; more than 0
	LeaseTTL    time.Duration // whole seconds, ≥ 2 s, ≥ HTTPTimeout + 1 s

	Publisher string                // our name in values and events, e.g. host-a/4711
	Version   string                // semantic version, shown by `nats micro info`
	Logger    *slog.Logger          // nil = discard
	Metrics   prometheus.Registerer // where the publisher's metrics are registered; nil = nowhere
}

// Account is one account to publish tokens for. The publisher doesn't see its secret: the Minter has it.
type Account struct {
	AppID    string
	Endpoint wechat.Endpoint // what the Minter calls; StableToken may give the same token again
	Minter   Minter          // compared with ==, to tell whether an account was changed: use a pointer
}

// Minter asks WeChat. Its calls are one attempt each, end within Config.HTTPTimeout, and may run concurrently.
type Minter interface {
	// Mint asks for a token; with force for a new one, even if the current one is good. Errors that tell more than
	// that there was no answer are *wechat.Error.
	Mint(ctx context.Context, force bool) (wechat.Minted, error)
	// Check asks whether token is accepted: nil is yes, a *wechat.Error of class Stale is no, any other error leaves
	// it open.
	Check(ctx context.Context, token secret.String) error
}

func (cfg Config) check() error {
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if cfg.Conn == nil {
		wrong("no NATS connection")
	}
	if err := cfg.Names.Check(); err != nil {
		problems = append(problems, err)
	}
	if err := checkAccounts(cfg.Accounts); err != nil {
		problems = append(problems, err)
	}
	if cfg.HTTPTimeout <= 0 {
		wrong("HTTP timeout %v: want more than 0", cfg.HTTPTimeout)
	}
	if cfg.RefreshAhead <= cfg.LeaseTTL {
		wrong("refresh ahead %v: want more than the lease TTL (%v), or a publisher that dies could cost a gap", cfg.RefreshAhead, cfg.LeaseTTL)
	}
	if cfg.RefreshEvery < 0 || cfg.InitialDelay < 0 || cfg.MinRefreshInterval < 0 || cfg.Replicas < 0 {
		wrong("refresh every %v, initial delay %v, min refresh interval %v, replicas %d: want none below 0",
			cfg.RefreshEvery, cfg.InitialDelay, cfg.MinRefreshInterval, cfg.Replicas)
	}
	if cfg.Publisher == "" {
		wrong("no name of this publisher")
	}
	if cfg.LeaseTTL < 2*time.Second || cfg.LeaseTTL%time.Second != 0 || cfg.LeaseTTL < cfg.HTTPTimeout+time.Second {
		wrong("lease TTL %v: want whole seconds, 2s or more, and at least the HTTP timeout (%v) + 1s", cfg.LeaseTTL, cfg.HTTPTimeout)
	}
	return errors.Join(problems...)
}
