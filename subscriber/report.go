package subscriber

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// run asks until there is an answer that counts, or ctx ends because nobody waits any more.
func (f *flight) run(ctx context.Context, s *Source) {
	var retries backoff
	var refusedAt time.Time // when a publisher first said that WeChat gives no answer
	for {
		attempt := s.refreshes.next()
		reply, err := s.report(ctx, f.refused)
		if e, ok := errors.AsType[*RefusedError](err); ok && e.passes() && refusedAt.IsZero() {
			refusedAt = time.Now()
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			s.ails(ailingRefresh, nil)
			f.answered(ctx, s, attempt, reply.Outcome)
			return
		case !worthRetrying(err, time.Since(refusedAt)) && !(errors.Is(err, ErrNoPublisher) && s.feed.back.recent(s.feed.link)):
			f.refuse(ctx, s, attempt, err)
			return
		}
		s.refreshes.note(f, err)
		if !pause(ctx, retries.next(firstAttemptRetry, lastAttemptRetry)) {
			return
		}
	}
}

// answered ends the flight when the refused token stands. When it was replaced, the newer one ends the wait, and is
// asked for until it is here.
func (f *flight) answered(ctx context.Context, s *Source, attempt uint64, outcome wire.Outcome) {
	if outcome == wire.StillValid || outcome == wire.TooSoon {
		s.refreshes.land(f, attempt, nil)
		return
	}
	s.refreshes.note(f, fmt.Errorf("%w: the token was replaced, but the new one is not to be seen yet", ErrUnavailable))
	var retries backoff
	for ctx.Err() == nil {
		s.checkNow(ctx)
		pause(ctx, retries.next(firstRetry, lastAttemptRetry))
	}
}

// refuse ends the flight with err. Where nobody answers, the bucket may yet hold a newer token.
func (f *flight) refuse(ctx context.Context, s *Source, attempt uint64, err error) {
	if errors.Is(err, ErrNoPublisher) {
		limited, cancel := context.WithTimeout(ctx, time.Second)
		s.checkNow(limited)
		cancel()
	}
	if denied := onlyRights(err); denied != nil {
		s.ails(ailingRefresh, denied)
	}
	s.refreshes.land(f, attempt, err)
}

// checkNow makes the feed get the key, and waits for that.
func (s *Source) checkNow(ctx context.Context) {
	done := make(chan struct{})
	if !s.feed.post(ctx, func(ctx context.Context) { s.watch.kick(ctx, done) }) {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// worthRetrying tells whether asking again may soon bring another answer, so long after the first refusal.
func worthRetrying(err error, refused time.Duration) bool {
	if e, ok := errors.AsType[*RefusedError](err); ok {
		return e.passes() && refused < passingLimit
	}
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotConnected)
}

// report tells the publishers once that WeChat refused a token.
func (s *Source) report(ctx context.Context, refused Token) (wire.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	data, err := json.Marshal(wire.Request{AppID: s.appid, ID: refused.ID, Client: s.opts.client})
	if err != nil {
		return wire.Reply{}, err
	}
	msg, err := s.feed.inbox.request(ctx, s.opts.names.AccountRefreshSubject(s.appid), data)
	if errors.Is(err, nats.ErrNoResponders) {
		return wire.Reply{}, ErrNoPublisher
	}
	if err != nil {
		return wire.Reply{}, err
	}
	return s.readReply(msg)
}

// readReply reads what a publisher answered.
func (s *Source) readReply(msg *nats.Msg) (wire.Reply, error) {
	if code := msg.Header.Get("Nats-Service-Error-Code"); code != "" {
		return wire.Reply{}, s.faultErr(code, msg.Header.Get("Nats-Service-Error"), msg.Data)
	}
	var reply wire.Reply
	if json.Unmarshal(msg.Data, &reply) != nil {
		return wire.Reply{}, errors.New("a publisher's reply is not JSON")
	}
	switch reply.Outcome {
	case wire.AlreadyReplaced, wire.Replaced, wire.StillValid, wire.TooSoon:
		return reply, nil
	}
	return wire.Reply{}, fmt.Errorf("a publisher's reply has the unknown outcome %.32q", reply.Outcome)
}

// faultErr is the error that a publisher's error reply stands for.
func (s *Source) faultErr(code, description string, body []byte) error {
	var fault wire.Fault
	_ = json.Unmarshal(body, &fault) // a body of another kind tells nothing more than the code does
	switch code {
	case codeText(wire.CodeUnknownAccount):
		return ErrUnknownAccount
	case codeText(wire.CodeBudgetSpent):
		spent := &BudgetSpentError{}
		if fault.RetryAt != nil {
			spent.RetryAt = s.feed.clock.Load().local(*fault.RetryAt).Round(0)
		}
		return spent
	case codeText(wire.CodeRefused):
		return &RefusedError{ErrCode: fault.ErrCode, ErrMsg: fault.ErrMsg}
	case codeText(wire.CodeUnavailable), codeText(wire.CodeTimeout):
		return fmt.Errorf("%w: a publisher answered %s %.200q", ErrUnavailable, code, description)
	}
	return fmt.Errorf("a publisher answered %.16q %.200q", code, description)
}

func codeText(code int) string { return fmt.Sprint(code) }

// maxAsks is how many requests for successors a feed makes by itself at once.
const maxAsks = 64

// ask asks the publishers for a successor when it is time to, in a goroutine of its own.
func (w *watch) ask(ctx context.Context, now time.Time) {
	if !w.mayAsk() || !due(w.askAt, now) {
		return
	}
	snap := w.now.Load()
	if !w.feed.link.IsConnected() || w.feed.asking == maxAsks {
		w.askAgain(now, snap)
		return
	}
	w.asking = true
	w.feed.asking++
	w.running.Go(func() {
		limited, cancel := context.WithTimeout(ctx, attemptTimeout+firstAttemptRetry)
		defer cancel()
		_, err := w.refresh(limited, snap.token)
		w.feed.post(ctx, func(ctx context.Context) { w.asked(ctx, snap, err) })
	})
}

// asked takes the result of asking for a successor of snap's token.
func (w *watch) asked(ctx context.Context, snap *snapshot, err error) {
	w.asking = false
	w.feed.asking--
	if w.place < 0 {
		return // closed
	}
	at, now := time.Now(), w.now.Load()
	if now.token.Generation == snap.token.Generation { // else what came instead has a plan of its own
		w.ails(ailingRefresh, err)
		w.askAgain(at, now)
	}
	w.act(ctx, at)
}
