package publisher

import (
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

const (
	// stableWindow is the end of a token's life in which stable_token gives a new one. Asked earlier, it gives the same.
	stableWindow = 5 * time.Minute
	// stablePoll is the longest wait until it is asked again.
	stablePoll = 20 * time.Second
)

// ahead is how long before its end a token is refreshed.
func (a *account) ahead(v wire.Value) time.Duration {
	ahead := min(a.cfg.RefreshAhead, v.ExpiresIn/2)
	if a.endpoint() == wechat.StableToken {
		ahead = min(ahead, stableWindow)
	}
	return ahead
}

// dueAt is when the token is to be refreshed.
func (a *account) dueAt(v wire.Value) time.Time {
	at := v.ExpiresAt.Add(-a.ahead(v))
	if every := a.cfg.RefreshEvery; every > 0 {
		if fixed := v.MintedAt.Add(every); fixed.Before(at) {
			at = fixed
		}
	}
	return at
}

// due tells whether the schedule has anything to do, given what the key holds.
func (a *account) due(current stored, now time.Time) bool {
	return !current.exists || a.mustStore(current) || a.isDoubted() || !now.Before(a.dueAt(current.Value))
}

func (a *account) isDoubted() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.doubted > 0
}

func (a *account) mustStore(current stored) bool {
	_, must := a.missing(current)
	return must
}

// missing returns what the key should hold instead of current: a token that we minted and couldn't store, or one that
// the store lost, or the current one itself, if others than us stored it under a generation that no reader takes.
func (a *account) missing(current stored) (v wire.Value, isMissing bool) {
	now := a.clock.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	switch known := a.seen; {
	case a.kept && known.live(now) && known.ID != current.ID, !current.exists:
		return known.Value, known.live(now)
	case current.Generation >= known.Generation:
		return v, false
	case known.live(now) && (known.Fence >= current.Fence || !current.live(now)):
		return known.Value, true
	}
	v = current.Value
	v.Generation = wire.NextGeneration(a.seen.Generation, v.MintedAt)
	return v, current.live(now)
}

// wakeAt is when the schedule should look at the account, as far as is known. It needs a.mu.
func (a *account) wakeAt(now time.Time) time.Time {
	switch {
	case !a.seen.exists:
		return later(a.retryAt, a.firstRun)
	case a.kept || a.lost || a.doubted > 0:
		return later(a.retryAt, now)
	}
	return later(a.retryAt, a.pollAt, a.dueAt(a.seen.Value).Add(a.rotationJitter()))
}

// delay lets the schedule begin after d, where there is no token yet.
func (a *account) delay(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.firstRun = a.clock.now().Add(d)
}

// rotationJitter keeps publishers, and accounts that were minted together, from coming all at once; for stable_token it
// is long enough for WeChat's own clock to have reached the window.
func (a *account) rotationJitter() time.Duration {
	ahead := a.ahead(a.seen.Value)
	return ahead/150 + time.Duration(a.luck*float64(ahead/75))
}

// askAgainLater plans the next call after stable_token gave the same token.
func (a *account) askAgainLater(v wire.Value, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgetFailures()
	a.pollAt = now.Add(a.pollWait(v, now))
}

// pollWait is how long to wait until stable_token is asked again for the successor of v.
func (a *account) pollWait(v wire.Value, now time.Time) time.Duration {
	left := v.ExpiresAt.Sub(now)
	wait := min(stablePoll, a.ahead(v)/4)
	switch untilWindow := left - a.ahead(v); {
	case untilWindow > 0 && a.cfg.RefreshEvery > 0: // asked at a fixed rate
		wait = min(a.cfg.RefreshEvery, untilWindow+a.rotationJitter())
	case left > 0:
		wait = min(wait, left/4)
	default:
		wait = min(wait, firstWait)
	}
	return max(wait, leastPollWait)
}

func later(times ...time.Time) time.Time {
	var latest time.Time
	for _, t := range times {
		if t.After(latest) {
			latest = t
		}
	}
	return latest
}
