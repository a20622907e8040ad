package publisher

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/wire"
)

const (
	// guardEvery is how often the buckets are looked at, beside each reconnect; guardRetry after that failed.
	guardEvery, guardRetry = 15 * time.Second, time.Second
	// readsAtOnce is how many keys are read side by side.
	readsAtOnce = 32
)

// watch subscribes to what the bucket republishes, so that a token that another publisher stored is known at once.
func (p *Publisher) watch() (*nats.Subscription, error) {
	subject := p.cfg.Names.UpdateSubject(">")
	sub, err := p.cfg.Conn.Subscribe(subject, p.updated)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	if err := p.cfg.Conn.Flush(); err != nil {
		return nil, errors.Join(fmt.Errorf("subscribe to %s: %w", subject, err), sub.Unsubscribe())
	}
	return sub, nil
}

// updated looks at a key that was republished. The message itself is only a hint: whoever may publish on its subject
// could have made it up, and what we know of a key is what we may store again.
func (p *Publisher) updated(msg *nats.Msg) {
	origin, ok := p.cfg.Names.OriginOf(msg.Header)
	if !ok {
		return
	}
	appid, kind, _ := wire.SplitKey(origin.Key)
	a := p.account(appid)
	if kind != wire.KindAccessToken || a == nil || !a.wantsLook(origin.Revision) || !p.work.begin() {
		return
	}
	go func() {
		defer p.work.end()
		p.look(a)
	}()
}

// look reads the account's key, once for all updates that came in since the last look began.
func (p *Publisher) look(a *account) {
	if p.reads.enter(p.work.ctx) != nil {
		return
	}
	defer p.reads.leave()
	a.looking.Store(false)
	if _, err := a.read(p.work.ctx); err != nil {
		p.stale.Store(true)
		p.log.Debug("updated key can't be read", "appid", a.appid, "err", err)
	}
}

// wantsLook tells whether the key's revision is news, and nobody is about to read it.
func (a *account) wantsLook(revision uint64) bool {
	known, _ := a.snapshot()
	return revision != known.revision && a.looking.CompareAndSwap(false, true)
}

// load reads the keys of accounts.
func (p *Publisher) load(ctx context.Context, accounts []*account) error {
	var wait sync.WaitGroup
	var failed atomic.Pointer[error]
	for _, a := range accounts {
		if failed.Load() != nil || p.reads.enter(ctx) != nil {
			break
		}
		wait.Go(func() {
			defer p.reads.leave()
			if _, err := a.read(ctx); err != nil {
				failed.Store(&err)
			}
		})
	}
	wait.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return ctx.Err()
}

// guard schedules the accounts that come new, makes the buckets anew when they are gone, and reads all keys again when
// something may have been missed.
func (p *Publisher) guard(ctx context.Context) {
	reconnected := p.cfg.Conn.StatusChanged(nats.CONNECTED)
	defer p.cfg.Conn.RemoveStatusListener(reconnected)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(p.recheck(ctx))
		select {
		case <-ctx.Done():
			return
		case <-reconnected:
			p.stale.Store(true)
		case <-p.added.news:
		case <-timer.C:
		}
	}
}

// recheck returns when to come again.
func (p *Publisher) recheck(ctx context.Context) time.Duration {
	changed, err := p.ensureBuckets(ctx)
	if err == nil && (p.stale.Swap(false) || changed) {
		err = p.load(ctx, p.all())
	}
	if err == nil {
		err = p.probe.write(ctx)
	}
	if err == nil {
		p.readBudgets(ctx)
	}
	if err == nil {
		err = p.admit(ctx)
	}
	if err != nil && ctx.Err() == nil {
		p.stale.Store(true)
		p.fail(err)
		return jitter(guardRetry)
	}
	p.recover()
	return guardEvery
}

// errUnchecked is what is known of the buckets at first.
var errUnchecked = errors.New("not checked yet")

// fail takes note of why the buckets can't be used, and says so once.
func (p *Publisher) fail(err error) {
	if before := p.failing.Swap(&err); before == nil || *before == errUnchecked {
		p.log.Warn("buckets can't be checked, trying again", "err", err)
	}
}

func (p *Publisher) recover() {
	if before := p.failing.Swap(nil); before == nil || *before == errUnchecked {
		return
	}
	p.log.Info("buckets can be checked again")
	for _, a := range p.all() {
		a.hurry()
	}
}

func (p *Publisher) storeErr() error {
	if failing := p.failing.Load(); failing != nil {
		return *failing
	}
	return nil
}

// ensureBuckets tells whether keys may be gone: the bucket of tokens is another than the last time, made here or by
// somebody else, or has fewer keys. Not every removal is republished.
func (p *Publisher) ensureBuckets(ctx context.Context) (changed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*storeTimeout)
	defer cancel()
	created, err := bus.EnsureBuckets(ctx, p.js, p.cfg.Names, max(p.cfg.Replicas, 1))
	if err != nil {
		return false, err
	}
	asked := p.clock.local()
	stream, err := p.js.Stream(ctx, p.cfg.Names.Stream())
	if err != nil {
		return false, fmt.Errorf("look up bucket %s: %w", p.cfg.Names.Bucket, err)
	}
	p.setClock(stream.CachedInfo().TimeStamp, asked, p.clock.local())
	keys := stream.CachedInfo().State.NumSubjects
	changed = !created.Equal(p.created) || keys < p.keys
	p.created, p.keys = created, keys
	return changed, nil
}

// notablyOff is how far the clock must have been off to be told, and for what was planned by it to be planned again.
const notablyOff = time.Second

// setClock takes the server's time from an answer.
func (p *Publisher) setClock(server, asked, answered time.Time) {
	if server.IsZero() {
		return // not known to that server
	}
	off := p.clock.learn(server, asked, answered)
	if off.Abs() < notablyOff {
		return
	}
	p.log.Warn("the NATS server's clock is another than ours, and is what counts", "ahead_by", off.Round(time.Millisecond))
	for _, a := range p.all() {
		p.schedule.rearm(a)
	}
}

// prepare waits until NATS is there and the buckets exist. Only buckets that don't do are an error.
func (p *Publisher) prepare(ctx context.Context) error {
	var said string
	for {
		_, err := p.ensureBuckets(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, wrong := errors.AsType[*bus.BucketError](err); wrong {
			return err
		}
		if err.Error() != said {
			said = err.Error()
			p.log.Warn("waiting for NATS with JetStream", "err", err)
		}
		sleep(ctx, jitter(time.Second))
	}
}
