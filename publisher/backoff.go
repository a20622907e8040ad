package publisher

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
)

// How long to wait after a mint that failed.
const (
	firstWait     = time.Second
	longestWait   = time.Minute
	longestDead   = 15 * time.Second // once the token is dead
	minuteQuota   = time.Minute
	dayQuota      = 10 * time.Minute
	firstHuman    = time.Minute // where a human must act
	longestHuman  = 10 * time.Minute
	leastPollWait = 50 * time.Millisecond
)

// waitAfter is the time until the next mint after failures failed ones in a row, the last with err, while the token
// has left to live (≤ 0 is dead). WeChat counts quotas by the minutes of the clock.
func waitAfter(err error, failures int, left time.Duration, now time.Time) time.Duration {
	switch classOf(err) {
	case wechat.MinuteQuota:
		return now.Truncate(minuteQuota).Add(minuteQuota).Sub(now) + spread(firstWait)
	case wechat.DayQuota:
		return dayQuota + spread(dayQuota/5)
	case wechat.Permanent:
		wait := doubling(firstHuman, failures, longestHuman)
		return min(wait+spread(wait/5), longestHuman)
	}
	wait := doubling(firstWait, failures, longestWait)
	if left <= 0 {
		return jitter(min(wait, longestDead))
	}
	return max(jitter(min(wait, left/4)), leastPollWait)
}

func classOf(err error) wechat.Class {
	if w, is := errors.AsType[*wechat.Error](err); is {
		return w.Class
	}
	return wechat.Transient
}

// doubling is first, 2·first, 4·first, … for 1, 2, 3, … failures, and never more than longest.
func doubling(first time.Duration, failures int, longest time.Duration) time.Duration {
	wait := first
	for range failures - 1 {
		if wait *= 2; wait >= longest {
			return longest
		}
	}
	return wait
}

// jitter spreads d over the last fifth before it.
func jitter(d time.Duration) time.Duration { return d - spread(d/5) }

// spread is anything from 0 to d.
func spread(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
