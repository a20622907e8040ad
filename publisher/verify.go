package publisher

import (
	"context"
	"fmt"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

const (
	// checkGap is the least time between two checks of a token. One refusal alone is weak evidence, WeChat flaps: a
	// token is dead when two checks this far apart were refused.
	checkGap = 250 * time.Millisecond
	// longestCheckGap is what the gap grows to while reports keep coming and the token keeps being found alive.
	longestCheckGap = 2 * time.Second
	// checkLook is how often asks that come while waiting for the next check are looked at: most need none.
	checkLook = 100 * time.Millisecond
)

// checkPace keeps an account's checks apart.
type checkPace struct {
	next   time.Time     // not before this
	gap    time.Duration // after the last check
	deadID string        // of the token that was found dead last
	failed bool          // the last check told nothing
}

// awaitCheck waits until a token may be checked again, if there is nothing but reports to see to. It returns false
// when more asks came meanwhile, which may need no check. A check answers only reports that had arrived when it began.
func (a *account) awaitCheck(ctx context.Context, b *batch) bool {
	if !a.cfg.VerifyReports || !b.isOnly(wire.ReasonReported) {
		return true
	}
	for {
		wait := time.Until(a.checks.next)
		if wait <= 0 || !sleep(ctx, min(wait, checkLook)) {
			return true
		}
		if more := a.take(); len(more) > 0 {
			b.asks = append(b.asks, more...)
			return false
		}
	}
}

// heldBack returns why nothing would come of a report that is right: the token was found dead, and a new one can't be
// had just now. Until that is over the token is not even checked again.
func (r *refresh) heldBack() error {
	if r.cfg.VerifyReports && r.checks.deadID != r.current.ID {
		return nil
	}
	if err := r.holdingBack(); err != nil {
		return &mintError{err}
	}
	return r.spent.holdingBack(r.clock.now())
}

// verifyReports asks WeChat about the reported token, and answers the reports if it is alive. Otherwise it returns
// false: a new one is needed.
func (r *refresh) verifyReports(ctx context.Context) (done bool, err error) {
	if r.batch.verified || !r.cfg.VerifyReports {
		return false, nil
	}
	alive, err := r.alive(ctx)
	if err != nil {
		return false, err
	}
	if alive {
		r.checks.slower()
		r.answerReports(r.batch, every, answer{outcome: wire.StillValid, current: r.current})
		return r.batch.empty(), nil
	}
	r.checks.gap = checkGap
	r.batch.verified = true
	if r.checks.deadID != r.current.ID {
		r.checks.deadID = r.current.ID
		r.tellDiedEarly()
	}
	return false, nil
}

// alive asks twice before it believes that the token is dead.
func (r *refresh) alive(ctx context.Context) (bool, error) {
	if time.Since(r.checks.next) > longestCheckGap {
		r.checks.gap = 0 // reports have stopped for a while
	}
	for range 2 {
		if !sleep(ctx, time.Until(r.checks.next)) {
			return false, fmt.Errorf("check token: %w", context.Cause(ctx))
		}
		r.checks.next = time.Now().Add(checkGap)
		err := r.check(ctx)
		switch {
		case err == nil:
			r.checks.failed = false
			return true, nil
		case classOf(err) != wechat.Stale:
			return false, r.checkFailed(ctx, err)
		}
	}
	r.checks.failed = false
	return false, nil
}

// checkFailed says so once, however long it goes on.
func (r *refresh) checkFailed(ctx context.Context, err error) error {
	r.checks.slower()
	if ctx.Err() != nil {
		return fmt.Errorf("check was cut short: %w", context.Cause(ctx))
	}
	if !r.checks.failed {
		r.log.Warn("reported token can't be checked", "appid", r.appid, "token_id", r.current.ID, "err", err)
	}
	r.checks.failed = true
	return &mintError{err}
}

func (r *refresh) check(ctx context.Context) error {
	err := r.checkOnce(ctx)
	if worthRepeating(ctx, err) { // the next call goes to another host, if there is one
		err = r.checkOnce(ctx)
	}
	return err
}

func (r *refresh) checkOnce(ctx context.Context) error {
	if err := r.toWeChat.enter(ctx); err != nil {
		return err
	}
	defer r.toWeChat.leave()
	ctx, cancel := context.WithTimeout(ctx, r.cfg.HTTPTimeout)
	defer cancel()
	began := time.Now()
	err := r.minter().Check(ctx, r.current.Token)
	r.metrics.called("check", err, time.Since(began))
	return err
}

func (p *checkPace) slower() {
	p.gap = min(max(p.gap, checkGap)*2, longestCheckGap)
	p.next = time.Now().Add(p.gap)
}

// sleep waits for d and tells whether ctx lasted that long.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
