package publisher

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nuid"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// stored is what the bucket holds for an account, or held when it was last looked at.
type stored struct {
	wire.Value
	revision uint64
	exists   bool // false also for a value that can't be read: revision is then what to overwrite
}

// live tells whether services can use the token.
func (s stored) live(now time.Time) bool { return s.exists && now.Before(s.ExpiresAt) }

// account is what a publisher knows of one account. Everything that may lead to a mint arrives as an ask; one
// goroutine at a time, which exists only while there are asks, takes all that are waiting through the refresh path.
type account struct {
	*shared
	appid   string
	given   atomic.Pointer[Account] // as SetAccounts gave it last
	nonce   string                  // of leases: ours alone
	looking atomic.Bool             // somebody is about to read the key

	mu      sync.Mutex
	waiting []*ask
	serving bool
	removed bool // no new pass begins
	mended  bool // given is another than the last call to WeChat was made with

	seen    stored        // the newest token that was seen on the key, or minted here
	changed chan struct{} // closed and replaced when seen is superseded
	lost    bool          // the key was seen without the token that it should hold
	kept    bool          // seen was minted here and couldn't be stored yet
	doubted uint64        // the fence of a mint that got no answer: it may have replaced what is seen; 0 = there is none

	firstRun time.Time // not before this for a first token
	pollAt   time.Time // stable_token gave the same token: not before this
	retryAt  time.Time // a mint failed: not before this, by itself
	failures int       // mints that failed in a row
	lastErr  error     // of the last of them
	troubles int       // passes in a row that NATS failed
	armed    time.Time // when the schedule looks again
	luck     float64   // in [0, 1): where in a jittered span this account lies

	// Used by the account's goroutine only.
	checks checkPace
	spent  spentBudget
	said   complaint
}

func newAccount(s *shared, a Account) *account {
	made := &account{
		shared:  s,
		appid:   a.AppID,
		nonce:   nuid.Next(),
		changed: make(chan struct{}),
		luck:    rand.Float64(),
	}
	made.given.Store(&a)
	return made
}

// observe takes note of what the key holds. The newest token wins, and one of ours that waits to be stored is not
// touched while it lives: the refresh path decides by the fences which of the two is newer.
func (a *account) observe(s stored) {
	a.note(s)
	a.wake()
}

func (a *account) note(s stored) {
	a.mu.Lock()
	defer a.mu.Unlock()
	newer := s.Generation > a.seen.Generation
	switch {
	case !s.exists:
		a.lost = true
	case s.ID == a.seen.ID && s.Generation >= a.seen.Generation:
		a.settleOn(s, a.kept || newer)
	case a.kept && a.seen.live(a.clock.now()):
	case newer:
		a.settleOn(s, true)
	default:
		a.lost = true // older than what we know
	}
}

// settleOn makes s what is known of the key. It needs a.mu.
func (a *account) settleOn(s stored, isNew bool) {
	a.seen = s
	a.lost, a.kept = false, false
	if isNew {
		doubted := a.doubted
		a.forgetFailures()
		if s.Fence < doubted {
			a.doubted = doubted // a late writer's, and older than the mint that got no answer
		}
		close(a.changed)
		a.changed = make(chan struct{})
	}
}

// forgetFailures is for when there is a new token. It needs a.mu.
func (a *account) forgetFailures() {
	a.doubted = 0
	a.failures, a.lastErr = 0, nil
	a.pollAt, a.retryAt = time.Time{}, time.Time{}
}

// wake makes the schedule look earlier, if it should.
func (a *account) wake() {
	a.mu.Lock()
	earlier := a.wakeAt(a.clock.now()).Before(a.armed.Add(-leastPause))
	a.mu.Unlock()
	if earlier {
		a.schedule.rearm(a)
	}
}

// adopt gives up what is kept for the newer token on the key.
func (a *account) adopt(s stored) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settleOn(s, true)
}

// keep remembers a token that was minted but is not stored yet. From now on nothing else is minted until it is stored
// or a newer one is found in its place.
func (a *account) keep(v wire.Value) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = stored{Value: v, exists: true}
	a.kept = true
	a.forgetFailures()
}

// doubt takes note that the token known may have been replaced by one that never arrived. The schedule then goes on
// asking for one, whatever the known one has left.
func (a *account) doubt(fence uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.doubted = fence
}

// snapshot is the newest token known and a channel that is closed when a newer one is seen on the key.
func (a *account) snapshot() (stored, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen, a.changed
}

// hurry ends the wait after a pass that NATS failed, because NATS is back.
func (a *account) hurry() {
	a.mu.Lock()
	if a.troubles > 0 && a.failures == 0 {
		a.retryAt = time.Time{}
	}
	a.mu.Unlock()
	a.wake()
}

// isKept tells whether v was minted here and waits to be stored.
func (a *account) isKept(v wire.Value) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kept && a.seen.ID == v.ID
}

// failed takes note of a mint that failed, and of when to try the next.
func (a *account) failed(err error) (failures int, retryAt time.Time) {
	now := a.clock.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failures++
	a.lastErr = err
	left := time.Duration(0)
	if a.seen.exists {
		left = a.seen.ExpiresAt.Sub(now)
	}
	a.retryAt = now.Add(waitAfter(err, a.failures, left, now))
	if a.mended && classOf(err) == wechat.Permanent {
		a.retryAt = now // it says nothing about what replaced the secret meanwhile
	}
	return a.failures, a.retryAt
}

// holdingBack returns the error of the last mint while the wait for the next isn't over.
func (a *account) holdingBack() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lastErr != nil && a.clock.now().Before(a.retryAt) {
		return a.lastErr
	}
	return nil
}

func (a *account) failuresInARow() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failures
}

// enqueue hands an ask to the account's goroutine, starting it if there is none.
func (a *account) enqueue(k *ask) {
	a.mu.Lock()
	if a.removed {
		a.mu.Unlock()
		k.answer(answer{err: notHeld(a.appid)})
		return
	}
	start := !a.serving
	if start && !a.work.begin() {
		a.mu.Unlock()
		k.answer(answer{err: errStopping})
		return
	}
	a.serving = true
	a.waiting = append(a.waiting, k)
	a.mu.Unlock()
	if start {
		go a.serve()
	}
}

// take returns the asks that are waiting.
func (a *account) take() []*ask {
	a.mu.Lock()
	defer a.mu.Unlock()
	asks := a.waiting
	a.waiting = nil
	return asks
}

func (a *account) serve() {
	defer a.work.end()
	for {
		if asks := a.take(); len(asks) > 0 {
			a.passWithin(asks)
			a.wake()
		} else if a.retire() {
			return
		}
	}
}

// putBack makes asks wait for the next pass.
func (a *account) putBack(asks []*ask) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, asks...)
}

// retire ends serve unless an ask came in between.
func (a *account) retire() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serving = len(a.waiting) > 0
	return !a.serving
}

func (a *account) passWithin(asks []*ask) {
	ctx, cancel := context.WithTimeout(a.work.ctx, passTimeout)
	defer cancel()
	b := &batch{asks: asks}
	if a.isRemoved() {
		b.answerAll(answer{err: notHeld(a.appid)})
		return
	}
	a.pass(ctx, b)
}
