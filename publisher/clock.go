package publisher

import (
	"sync/atomic"
	"time"
)

// clock is the NATS server's time, or the local one while that is not known. All times that publishers share are by it:
// those in tokens, budgets, replies and events. So a publisher whose own clock is off or is being set does no harm, and
// what remains is the time that an answer of the server takes. Waits within one process need no clock but time's.
type clock struct {
	local   func() time.Time // with a monotonic reading
	reading atomic.Pointer[reading]
}

// reading is what the server's clock showed at a moment of ours.
type reading struct{ server, here time.Time }

// at translates a moment of ours.
func (r reading) at(here time.Time) time.Time { return r.server.Add(here.Sub(r.here)) }

func (c *clock) now() time.Time {
	if r := c.reading.Load(); r != nil {
		return r.at(c.local())
	}
	return c.local().Round(0)
}

// learn takes the time that the server put into an answer, and tells by how much the clock was off at least. While the
// two agree, as far as the time that the answer took lets one see, the clock stays: it then runs evenly. When it is set,
// it is behind the server's rather than ahead, so that no token is believed to live longer than it does.
func (c *clock) learn(server, asked, answered time.Time) (off time.Duration) {
	known := c.reading.Load()
	if known == nil {
		known = &reading{server: answered.Round(0), here: answered}
	}
	early, late := known.at(asked), known.at(answered)
	switch {
	case server.Before(early):
		off = server.Sub(early)
	case server.After(late):
		off = server.Sub(late)
	}
	if off != 0 || c.reading.Load() == nil {
		c.reading.Store(&reading{server: server, here: answered})
	}
	return off
}
