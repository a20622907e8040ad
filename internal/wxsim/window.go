package wxsim

import (
	"fmt"
	"math"
	"time"
)

// Windows of the real platform, where a token lives 7200 s.
const (
	grace         = 300 * time.Second // how long the previous token goes on
	rollover      = 300 * time.Second // stable_token mints in the last part of a token's life
	forceGap      = 30 * time.Second  // between two forced refreshes
	whitelistLag  = 10 * time.Minute  // until an edit counts
	refusedOnce   = time.Hour         // 89507
	refusedTwice  = 24 * time.Hour    // 89506
	quotaMinute   = time.Minute
	quotaDay      = 24 * time.Hour
	quotaMonth    = 30 * 24 * time.Hour // of a scaled calendar only: the real one has months
	ticketRealAge = 3 * time.Hour       // how long a ticket is really usable, as observed
)

// Quota days are those of Beijing. They are counted from beijingMidnight, scaled ones too.
var (
	beijing         = time.FixedZone("CST", 8*3600)
	beijingMidnight = time.Date(2020, 1, 1, 0, 0, 0, 0, beijing)
)

// settings decide how an account behaves.
type settings struct {
	knobs     Knobs
	expiresIn time.Duration
}

// scale turns a window of the real platform into one of a simulator whose tokens live expiresIn.
func (s settings) scale(window time.Duration) time.Duration {
	if s.expiresIn == DefaultExpiresIn {
		return window
	}
	// Via float64: the product of two durations overflows an int64. So does a window of years, when tokens live for years.
	scaled := math.Round(float64(window) * float64(s.expiresIn) / float64(DefaultExpiresIn))
	if scaled >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(scaled)
}

// rolloverOf is how long before its end a token that lives for life is replaced by stable_token. A token that a fault
// made short would otherwise never be given twice.
func (s settings) rolloverOf(life time.Duration) time.Duration {
	return min(s.scale(rollover), life/2)
}

func (s settings) minute(now time.Time) int64 { return s.index(now, quotaMinute) }
func (s settings) day(now time.Time) int64    { return s.index(now, quotaDay) }

func (s settings) month(now time.Time) int64 {
	if s.expiresIn != DefaultExpiresIn {
		return s.index(now, quotaMonth)
	}
	there := now.Add(-time.Duration(s.knobs.ResetHour) * time.Hour).In(beijing)
	return int64(there.Year())*12 + int64(there.Month())
}

// index numbers the windows of that length, the reset hour being when a day begins.
func (s settings) index(now time.Time, window time.Duration) int64 {
	begin := beijingMidnight.Add(s.scale(time.Duration(s.knobs.ResetHour) * time.Hour))
	since, length := now.Sub(begin), max(1, s.scale(window))
	if since < 0 { // division rounds towards zero, and synctest's time starts in the year 2000
		since -= length - 1
	}
	return int64(since / length)
}

// wholeSeconds is an expires_in: rounded down, but never below 1.
func wholeSeconds(d time.Duration) int64 { return max(1, int64(d/time.Second)) }

func checkExpiresIn(d time.Duration) error {
	if d < time.Millisecond {
		return fmt.Errorf("expires_in %v: want at least 1ms", d)
	}
	return nil
}
