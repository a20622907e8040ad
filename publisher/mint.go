package publisher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// mintError is an error of a call to WeChat. Where it arises it is logged and the next try planned.
type mintError struct{ err error }

func (e *mintError) Error() string { return e.err.Error() }
func (e *mintError) Unwrap() error { return e.err }

// errSameToken tells that WeChat gave the token again that it was asked to replace.
var errSameToken = errors.New("WeChat gave the same token again although a new one was forced; it does so within 30s of another forced refresh")

// mintFor mints for the reason and stores what comes of it, which answers everything.
func (r *refresh) mintFor(ctx context.Context, reason wire.Reason) error {
	if err := r.pay(ctx, reason); err != nil {
		return err
	}
	v, err := r.mint(ctx, reason, false)
	if err != nil {
		return err
	}
	switch {
	case v.ID != r.current.ID:
		return r.deliver(ctx, v)
	case r.prolongs(v) && r.batch.isOnly(wire.ReasonScheduled):
		v.PreviousID = r.current.PreviousID
		return r.deliver(ctx, v)
	}
	return r.sameAgain(ctx, reason)
}

// prolongs tells whether v, the token that is stored already, lives longer than the key says, by more than a slow
// answer and the cut to whole seconds make up.
func (r *refresh) prolongs(v wire.Value) bool {
	return v.ExpiresAt.Sub(r.current.ExpiresAt) > r.cfg.HTTPTimeout+time.Second
}

// sameAgain goes on after stable_token gave the token that is stored already. That is all the schedule wanted to know;
// for a token that is verified dead, and for an operator, a new one is forced.
func (r *refresh) sameAgain(ctx context.Context, reason wire.Reason) error {
	r.askAgainLater(r.current.Value, r.clock.now())
	r.batch.answerIf(is(wire.ReasonScheduled), answer{current: r.current})
	if r.batch.empty() {
		return nil
	}
	if !r.batch.has(wire.ReasonManual) {
		if !r.batch.verified && time.Now().Before(r.checks.next) { // the schedule shall not wait for them
			r.putBack(r.batch.takeAll())
			return nil
		}
		if done, err := r.verifyReports(ctx); done || err != nil {
			return err
		}
	}
	if reason == wire.ReasonScheduled { // what is asked for pays, even where the schedule came first
		reason = r.reasonAsked()
		if err := r.pay(ctx, reason); err != nil {
			return err
		}
	}
	if err := r.spend(ctx, (*budget).spendForced); err != nil {
		return err
	}
	v, err := r.mint(ctx, reason, true)
	if err != nil {
		return err
	}
	if v.ID == r.current.ID {
		return r.mintFailed(reason, errSameToken)
	}
	return r.deliver(ctx, v)
}

func (r *refresh) reasonAsked() wire.Reason {
	if r.batch.has(wire.ReasonManual) {
		return wire.ReasonManual
	}
	return wire.ReasonReported
}

// pay takes what was asked for out of the account's budget. While the wait after a mint that failed isn't over, all but
// operators are held back: these may have mended the cause, but pay for the attempt.
func (r *refresh) pay(ctx context.Context, reason wire.Reason) error {
	failed := r.holdingBack()
	switch {
	case failed != nil && !r.batch.has(wire.ReasonManual):
		return &mintError{failed}
	case failed == nil && reason != wire.ReasonReported && reason != wire.ReasonManual:
		return nil
	}
	return r.spend(ctx, (*budget).spendAsked)
}

func (r *refresh) spend(ctx context.Context, take func(*budget, time.Time) error) error {
	now := r.clock.now().UTC()
	if err := r.spent.holdingBack(now); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err := spend(ctx, r.ops, r.appid, func(b *budget) error { return take(b, now) })
	if spent, is := errors.AsType[*budgetSpentError](err); is && r.spent.note(spent, now) {
		r.tellBudgetSpent(spent)
	}
	return err
}

// mint calls WeChat, a second time if the first call got no answer: it may have minted all the same, and so replaced
// the stored token. The second call goes to another host if there is one. It is not forced where the first may have
// come through: it then returns what that one minted.
func (r *refresh) mint(ctx context.Context, reason wire.Reason, force bool) (wire.Value, error) {
	fence, minted, err := r.call(ctx, reason, force)
	if worthRepeating(ctx, err) {
		if r.failuresInARow() == 0 {
			r.log.Info("mint got no answer, asking again", "appid", r.appid, "reason", reason, "err", err)
		}
		fence, minted, err = r.call(ctx, reason, force && !ambiguous(err))
	}
	if err == nil {
		return r.value(minted, reason, fence), nil
	}
	failed, is := errors.AsType[*mintError](err)
	if !is {
		return wire.Value{}, err
	}
	err = r.mintFailed(reason, failed.err)
	if ctx.Err() != nil { // it says nothing about WeChat
		err = fmt.Errorf("mint was cut short: %w", context.Cause(ctx))
	}
	return wire.Value{}, err
}

// call is one call to WeChat, whose error is a *mintError. It begins only if the lease outlives it.
func (r *refresh) call(ctx context.Context, reason wire.Reason, force bool) (fence uint64, m wechat.Minted, err error) {
	if err := r.toWeChat.enter(ctx); err != nil {
		return 0, m, err
	}
	defer r.toWeChat.leave()
	if !r.lease.outlives(r.cfg.HTTPTimeout) {
		if err := r.lease.renew(ctx); err != nil {
			r.tellLeaseLost(err)
			return 0, m, err
		}
	}
	fence = r.lease.revision
	ctx, cancel := context.WithTimeout(ctx, r.cfg.HTTPTimeout)
	defer cancel()
	endpoint, began := r.endpoint(), time.Now()
	m, err = r.minterForMint().Mint(ctx, force)
	r.metrics.minted(endpoint, reason, m.Token.Reveal() != r.current.Token.Reveal(), err, time.Since(began))
	if err != nil {
		err = &mintError{err}
	}
	if ambiguous(err) {
		r.doubt(fence)
	}
	return fence, m, err
}

func worthRepeating(ctx context.Context, err error) bool {
	w, is := errors.AsType[*wechat.Error](err)
	return is && w.Code == 0 && ctx.Err() == nil
}

func ambiguous(err error) bool {
	w, is := errors.AsType[*wechat.Error](err)
	return is && w.Ambiguous()
}

func (r *refresh) value(m wechat.Minted, reason wire.Reason, fence uint64) wire.Value {
	known, _ := r.snapshot()
	minted := r.clock.now().Add(-time.Since(m.SentAt)).UTC().Truncate(time.Millisecond)
	return wire.Value{
		AppID:      r.appid,
		Kind:       wire.KindAccessToken,
		Token:      m.Token,
		ID:         wire.TokenID(m.Token.Reveal()),
		ExpiresIn:  m.ExpiresIn,
		MintedAt:   minted,
		ExpiresAt:  minted.Add(m.ExpiresIn),
		Reason:     reason,
		Publisher:  r.cfg.Publisher,
		Endpoint:   string(r.endpoint()),
		PreviousID: r.current.ID,
		Generation: wire.NextGeneration(max(known.Generation, r.current.Generation), minted),
		Fence:      fence,
	}
}

// mintFailed plans the next try, tells about it, and returns the error to answer with.
func (r *refresh) mintFailed(reason wire.Reason, err error) error {
	failures, retryAt := r.failed(err)
	r.tellMintFailed(reason, err, failures, retryAt)
	return &mintError{err}
}
