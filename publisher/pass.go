package publisher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// passTimeout is the longest that one pass through the refresh path may take. Asks that it doesn't reach in time are
// answered with an error, and can be made again.
const passTimeout = 45 * time.Second

// leaseRetry is how often a lease that another publisher holds is tried, beside watching the key.
const leaseRetry = 100 * time.Millisecond

// pass takes a batch through the refresh path, the one way to a new token for every reason:
// lease → read the key → decide → mint → store with compare-and-set → release. Each time the key is read, asks that
// need no more work are answered at once.
func (a *account) pass(ctx context.Context, b *batch) {
	for !b.empty() {
		if err := a.attempt(ctx, b); err != nil {
			a.refuse(b, err)
		}
	}
}

// attempt is one try at the path. It leaves asks in the batch if another publisher was at work, and the key is to be
// read again.
func (a *account) attempt(ctx context.Context, b *batch) error {
	current, err := a.read(ctx)
	if err != nil {
		return err
	}
	a.settle(b, current)
	if b.empty() || !a.awaitCheck(ctx, b) {
		return nil
	}
	l, err := a.leases.take(ctx, a.appid, a.nonce)
	if errors.Is(err, errLeaseHeld) {
		return a.awaitHolder(ctx)
	}
	if err != nil {
		return err
	}
	defer a.release(ctx, l)
	a.untroubled()
	r := &refresh{account: a, lease: l, batch: b}
	return r.run(ctx)
}

// awaitHolder waits for what the holder of the lease makes of the key, or for a moment to try for the lease again.
func (a *account) awaitHolder(ctx context.Context) error {
	began := time.Now()
	defer func() { a.metrics.leaseWait.Observe(time.Since(began).Seconds()) }()
	_, changed := a.snapshot()
	retry := time.NewTimer(jitter(leaseRetry))
	defer retry.Stop()
	select {
	case <-changed:
	case <-retry.C:
	case <-ctx.Done():
		return fmt.Errorf("wait for another publisher: %w", context.Cause(ctx))
	}
	return nil
}

func (a *account) release(ctx context.Context, l *lease) {
	if err := l.release(ctx); err != nil {
		a.log.Warn("lease was not given up, it ends by itself", "appid", a.appid, "lease_ttl", a.cfg.LeaseTTL, "err", err)
	}
}

// refuse answers all that is left with an error, after planning the schedule's next try.
func (a *account) refuse(b *batch, err error) {
	if !isTold(err) {
		a.troubled(err)
	}
	b.answerAll(answer{err: err})
}

// troubled makes the schedule wait after NATS failed a pass, and says so once.
func (a *account) troubled(err error) {
	if a.work.ctx.Err() != nil {
		return // it is us who are stopping
	}
	a.mu.Lock()
	a.troubles++
	first := a.troubles == 1
	a.retryAt = later(a.retryAt, a.clock.now().Add(jitter(doubling(storeWait, a.troubles, longestStoreWait))))
	a.mu.Unlock()
	if first {
		a.log.Warn("refresh is held up, trying again", "appid", a.appid, "err", err)
	}
}

func (a *account) untroubled() {
	a.mu.Lock()
	passes := a.troubles
	a.troubles = 0
	a.mu.Unlock()
	if passes > 0 {
		a.log.Info("refresh works again", "appid", a.appid, "failed_passes", passes)
	}
}

// isTold tells whether the error was dealt with where it arose: its log line, event and wait are done.
func isTold(err error) bool {
	_, spent := errors.AsType[*budgetSpentError](err)
	_, mint := errors.AsType[*mintError](err)
	return spent || mint
}

// refresh is the part of a pass that runs under the lease: from here to its release this publisher alone may mint for
// the account.
type refresh struct {
	*account
	lease   *lease
	batch   *batch
	current stored // what the key holds
}

// run does whatever is left to do. It answers every ask of the batch, or returns the error to answer them with.
func (r *refresh) run(ctx context.Context) error {
	current, err := r.read(ctx) // again: until the lease was ours, others may have written
	if err != nil {
		return err
	}
	r.current = current
	if err := r.restore(ctx); err != nil {
		return err
	}
	r.settle(r.batch, r.current)
	if r.batch.empty() {
		return nil
	}
	reason := r.reason()
	if reason == wire.ReasonReported {
		if err := r.heldBack(); err != nil {
			return err
		}
		if done, err := r.verifyReports(ctx); done || err != nil {
			return err
		}
	}
	return r.mintFor(ctx, reason)
}

// reason tells why to mint. Whatever is due anyway comes before what was asked for, and so costs no budget.
func (r *refresh) reason() wire.Reason {
	switch {
	case !r.current.exists && r.hadToken():
		return wire.ReasonMissing
	case !r.current.exists:
		return wire.ReasonStartup
	case r.due(r.current, r.clock.now()):
		return wire.ReasonScheduled
	case r.batch.has(wire.ReasonManual):
		return wire.ReasonManual
	}
	return wire.ReasonReported
}

func (r *refresh) hadToken() bool {
	known, _ := r.snapshot()
	return known.exists
}
