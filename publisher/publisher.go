package publisher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/bus"
)

const (
	// finishWithin is how long a shutdown lets refreshes go on that are under way.
	finishWithin = 3500 * time.Millisecond
	// mintsAtOnce bounds the calls to WeChat of all accounts.
	mintsAtOnce = 64
)

// shared is what every account of a publisher uses.
type shared struct {
	cfg      Config
	log      *slog.Logger
	clock    *clock
	metrics  *metrics
	tokens   *bus.KV
	ops      *bus.KV
	leases   *leases
	work     *work
	toWeChat gate
	reads    gate
	schedule *schedule
}

// Publisher keeps the tokens of its accounts fresh while Run runs.
type Publisher struct {
	*shared
	js      jetstream.JetStream
	created time.Time // of the bucket of tokens
	keys    uint64    // in it
	probe   *probe
	failing atomic.Pointer[error]   // why the buckets couldn't be checked the last time; nil = they could
	budgets atomic.Pointer[budgets] // nil = not known
	stale   atomic.Bool             // a key may have changed unread

	setting  sync.Mutex // held while accounts are set
	added    *newcomers
	mu       sync.RWMutex
	accounts map[string]*account
}

// New makes a Publisher, or tells every mistake in cfg at once. It does no I/O.
func New(cfg Config) (*Publisher, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	js, err := jetstream.New(cfg.Conn)
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	metrics := newMetrics()
	tokens, ops := bus.OpenKV(cfg.Conn, js, cfg.Names.Bucket), bus.OpenKV(cfg.Conn, js, cfg.Names.OpsBucket())
	tokens.Observe, ops.Observe = metrics.stored, metrics.stored
	p := &Publisher{
		shared: &shared{
			cfg:      cfg,
			log:      cfg.Logger,
			clock:    &clock{local: time.Now},
			metrics:  metrics,
			tokens:   tokens,
			ops:      ops,
			leases:   newLeases(ops, cfg.Publisher, cfg.LeaseTTL),
			work:     newWork(),
			toWeChat: make(gate, mintsAtOnce),
			reads:    make(gate, readsAtOnce),
			schedule: newSchedule(cfg.Logger),
		},
		js:    js,
		probe: newProbe(ops, cfg.Publisher),
		added: newNewcomers(),
	}
	p.failing.Store(&errUnchecked)
	if err := p.register(cfg.Metrics); err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	p.added.put(p.replaceAccounts(cfg.Accounts).added)
	return p, nil
}

// Run refreshes and answers until ctx ends, which is no error. It waits for NATS at the start as well as later; an
// error is a bucket that can't be used as it is. Refreshes under way when ctx ends have 3.5 s to finish. A Publisher
// runs once.
func (p *Publisher) Run(ctx context.Context) error {
	err := p.run(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// run stops in the order schedule → service → passes with their leases, so its defers stand in the opposite one.
func (p *Publisher) run(ctx context.Context) (err error) {
	defer p.finish()
	if err := p.prepare(ctx); err != nil {
		return err
	}
	updates, err := p.watch()
	if err != nil {
		return err
	}
	defer updates.Unsubscribe()
	service, err := p.serve()
	if err != nil {
		return err
	}
	defer service.Stop()
	if err := p.schedule.start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.schedule.shutdown()) }()
	p.log.Info("publisher runs", "publisher", p.cfg.Publisher, "accounts", len(p.all()), "bucket", p.cfg.Names.Bucket)
	p.guard(ctx)
	return nil
}

// finish lets the passes that are under way end, with their leases given up.
func (p *Publisher) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), finishWithin)
	defer cancel()
	p.work.stop(ctx)
}

func (p *Publisher) account(appid string) *account {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.accounts[appid]
}

func (p *Publisher) all() []*account {
	p.mu.RLock()
	defer p.mu.RUnlock()
	all := make([]*account, 0, len(p.accounts))
	for _, a := range p.accounts {
		all = append(all, a)
	}
	return all
}
