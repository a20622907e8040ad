package publisher

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// What happens to an account is told twice: a log line for whoever runs the publisher, an event for the audit trail.
// Both hold ids, never tokens.

func (r *refresh) tellMinted(s stored) {
	r.log.Info("token minted and stored", "appid", r.appid, "reason", s.Reason, "token_id", s.ID, "generation", s.Generation,
		"revision", s.revision, "expires_at", s.ExpiresAt, "endpoint", s.Endpoint)
	r.event(wire.Event{
		What: wire.EventMinted, Reason: s.Reason, Endpoint: s.Endpoint, ID: s.ID, PreviousID: s.PreviousID,
		Generation: s.Generation, Revision: s.revision, ExpiresAt: &s.ExpiresAt,
	})
}

// sayAgainAfter is how long a failure that goes on unchanged isn't logged again. Events tell of each one.
const sayAgainAfter = 10 * time.Minute

// complaint is a failure that was logged.
type complaint struct {
	code int
	at   time.Time
}

func (r *refresh) tellMintFailed(reason wire.Reason, err error, failures int, retryAt time.Time) {
	level := slog.LevelWarn
	if classOf(err) == wechat.Permanent {
		level = slog.LevelError
	}
	now := time.Now()
	if failures > 1 && r.said.code == errCode(err) && now.Sub(r.said.at) < sayAgainAfter {
		level = slog.LevelDebug
	} else {
		r.said = complaint{errCode(err), now}
	}
	r.log.Log(context.Background(), level, "mint failed", "appid", r.appid, "reason", reason, "failures", failures, "retry_at", retryAt, "err", err)
	r.event(wire.Event{
		What: wire.EventMintFailed, Reason: reason, Endpoint: string(r.endpoint()), ID: r.current.ID,
		ErrCode: errCode(err), Detail: err.Error(), RetryAt: &retryAt,
	})
}

func (a *account) tellReports(first *ask, n int, with answer) {
	level := slog.LevelInfo
	if with.outcome == wire.AlreadyReplaced {
		level = slog.LevelDebug // each service may say so after each rotation
	}
	a.log.Log(context.Background(), level, "token was reported as refused", "appid", a.appid, "token_id", first.id, "reports", n, "client", first.client,
		"errcode", first.code, "outcome", with.outcome)
	a.event(wire.Event{
		What: wire.EventReport, ID: first.id, Reports: n, Client: first.client, ErrCode: first.code,
		Outcome: with.outcome, Generation: with.current.Generation,
	})
}

const staleWriterDetail = "a token that was minted here couldn't be stored before another publisher stored a newer one, and is given up: " +
	"services use the newer one; if it happens often, look at this publisher's machine and its way to NATS"

func (r *refresh) tellStaleWriter(ours, theirs wire.Value) {
	r.log.Warn("token given up, a newer one is stored", "appid", r.appid, "token_id", ours.ID, "fence", ours.Fence,
		"newer_token_id", theirs.ID, "newer_fence", theirs.Fence)
	r.event(wire.Event{
		What: wire.EventStaleWriter, ID: theirs.ID, PreviousID: ours.ID, Generation: theirs.Generation, Detail: staleWriterDetail,
	})
}

const foreignMinterDetail = "the token died before its end and no publisher replaced it: somebody else probably mints with this AppSecret; " +
	"find what else asks WeChat for this account's tokens, or reset the AppSecret"

func (r *refresh) tellDiedEarly() {
	s := r.current
	r.log.Warn("token died early", "appid", r.appid, "token_id", s.ID, "expires_at", s.ExpiresAt, "detail", foreignMinterDetail)
	r.event(wire.Event{
		What: wire.EventForeignMinter, ID: s.ID, Generation: s.Generation, ExpiresAt: &s.ExpiresAt, Detail: foreignMinterDetail,
	})
}

func (r *refresh) tellBudgetSpent(spent *budgetSpentError) {
	r.log.Warn("budget is spent, the token stays as it is", "appid", r.appid, "budget", spent.what, "retry_at", spent.retryAt)
	r.event(wire.Event{What: wire.EventBudgetSpent, ID: r.current.ID, Detail: spent.Error(), RetryAt: &spent.retryAt})
}

const leaseLostDetail = "the lease couldn't be renewed before a call to WeChat, so that call wasn't made: another publisher holds the lease, or NATS " +
	"can't be reached; it is tried again, and if it happens often, this machine is overloaded or NATS is slow"

func (r *refresh) tellLeaseLost(err error) {
	r.log.Warn("lease ended before the work did", "appid", r.appid, "err", err)
	r.event(wire.Event{What: wire.EventLeaseLost, ID: r.current.ID, Detail: leaseLostDetail})
}

// event publishes; that it may be lost is the nature of core NATS.
func (a *account) event(e wire.Event) {
	a.metrics.events.WithLabelValues(e.What).Inc()
	e.AppID, e.At, e.Publisher = a.appid, a.clock.now().UTC(), a.cfg.Publisher
	data, err := json.Marshal(e)
	if err == nil {
		err = a.cfg.Conn.Publish(a.cfg.Names.EventSubject(a.appid, e.What), data)
	}
	if err != nil {
		a.log.Debug("event is lost", "appid", a.appid, "what", e.What, "err", err)
	}
}

func errCode(err error) int {
	if w, is := errors.AsType[*wechat.Error](err); is {
		return w.Code
	}
	return 0
}
