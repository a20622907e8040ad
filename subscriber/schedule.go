package subscriber

import (
	"math/rand/v2"
	"time"

	"github.com/wxtoken/wxtoken/internal/wire"
)

const (
	// checkEvery is the longest that a source waits until it asks for what it may have missed. WeChat lets a replaced token
	// live for 5 minutes.
	checkEvery = 4 * time.Minute
	// checkEveryBlind is the same for a source that gets no updates.
	checkEveryBlind = 30 * time.Second
	// nearEnd is how long before a token's end its source begins to ask by itself. Publishers have a successor minutes
	// before that.
	nearEnd = time.Minute

	// missedSpread is the time over which the services of a server that came back begin to get their keys.
	missedSpread = 100 * time.Millisecond

	firstRetry = 50 * time.Millisecond
	lastRetry  = 2 * time.Second
	retryShare = time.Millisecond // what each source of a fleet adds to that: so many of them retry 1,000 gets a second
	firstAsk   = time.Second      // after the end of a token; before it, life decides
	lastAsk    = 30 * time.Second
	// forceEvery guards the caller's connection against being cut over and over.
	forceEvery = time.Minute
)

// backoff is a wait that doubles each time. The zero value begins with the first wait.
type backoff time.Duration

func (b *backoff) next(first, last time.Duration) time.Duration {
	*b = min(max(backoff(first), *b*2), backoff(last))
	return jitter(time.Duration(*b))
}

// jitter is between half of d and d, so that many sources don't act at once.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(max(1, d/2+1))
}

// near is how long before its end a token that lives for life should have had a successor.
func near(life time.Duration) time.Duration {
	return min(nearEnd, life/10)
}

// schedule is when a watch has something to do by itself.
type schedule struct {
	checkAt time.Time // get the key
	missAt  time.Time // get it, because the successor of the token should have come; zero: not known
	askAt   time.Time // get it, and if that brings nothing newer ask publishers to refresh

	lead time.Duration // how long before its end a token was replaced on schedule, the last time; 0: not known

	retries backoff // of gets
	asks    backoff // of requests to publishers
}

// plan begins anew for a token that lives for life until end.
func (s *schedule) plan(end time.Time, life time.Duration) {
	s.asks = 0
	s.askAt = end.Add(-jitter(near(life)))
	s.missAt = time.Time{}
	if s.lead > 0 && s.lead < life {
		s.missAt = end.Add(jitter(s.lead/10) - s.lead) // the schedule has its own jitter
		s.checkAt = earlier(s.checkAt, s.missAt)
	}
}

// learn takes note of how long before the end of the token held its successor was minted on schedule, where that
// successor came as publishers bring it: never in the first half of a token's life.
func (s *schedule) learn(held *snapshot, next entry) {
	lead := held.serverEnd.Sub(next.MintedAt)
	if next.Reason == wire.ReasonScheduled && held.token.Generation > 0 && lead > 0 && lead <= held.life*6/10 {
		s.lead = lead
	}
}

// askSoon makes publishers be asked again soon, after the end of a token or of an outage.
func (s *schedule) askSoon(now time.Time) {
	s.asks = 0
	s.askAt = now.Add(jitter(firstAsk / 4))
}

// askAgain says when to ask next, because the last time helped nothing.
func (s *schedule) askAgain(now time.Time, snap *snapshot) {
	first := firstAsk
	if snap.err == nil {
		first = max(near(snap.life)/4, firstRetry)
	}
	s.askAt = now.Add(s.asks.next(first, lastAsk))
}

// checkAgain says when to check next after a check that brought what it should.
func (s *schedule) checkAgain(now time.Time, blind bool) {
	s.retries = 0
	every := checkEvery
	if blind {
		every = checkEveryBlind
	}
	s.checkAt = now.Add(jitter(every))
	if s.missAt.After(now) {
		s.checkAt = earlier(s.checkAt, s.missAt)
	}
}

// checkRetry says when to check next after a check that failed, where so many sources are served together.
func (s *schedule) checkRetry(now time.Time, sources int) {
	s.checkAt = now.Add(s.retries.next(firstRetry, lastRetry+time.Duration(sources-1)*retryShare))
}

// checkOlder says when to check next after a check that brought an older token than the one held.
func (s *schedule) checkOlder(now time.Time) {
	s.checkAt = now.Add(s.retries.next(firstRetry, checkEveryBlind))
}
