package stage

import (
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// Condition is what a link is like.
type Condition int32

// The conditions.
const (
	Clear Condition = iota
	Slow            // slowLatency and slowRate in each direction
	Dead            // nothing passes, and nobody is told
)

const (
	slowLatency = 150 * time.Millisecond
	slowRate    = 32 << 10 // bytes a second
	// stuck is how long a receiver may take nothing before the connection ends.
	stuck = 30 * time.Second
)

// toxic is the one toxic of each proxy and direction. It is there from the beginning to the end, and changes by itself:
// toxiproxy hangs at times where toxics are added to or removed from a connection that ends just then, and its proxy with
// it (https://github.com/Shopify/toxiproxy/issues/558).
type toxic struct{ condition atomic.Int32 }

const toxicType = "condition"

// GetBufferSize lets what is delayed queue up.
func (*toxic) GetBufferSize() int { return 1024 }

// Pipe passes on what comes, in the link's condition, until the connection ends.
func (t *toxic) Pipe(stub *toxics.ToxicStub) {
	var free time.Time // when a slow link has passed on all before
	for {
		select {
		case <-stub.Interrupt:
			return
		case c := <-stub.Input:
			if c == nil || !t.pass(stub, c, &free) {
				stub.Close()
				return
			}
		}
	}
}

// pass tells whether the connection goes on.
func (t *toxic) pass(stub *toxics.ToxicStub, c *stream.StreamChunk, free *time.Time) bool {
	switch Condition(t.condition.Load()) {
	case Dead:
		return true // what is lost is lost: healing ends the connection
	case Slow:
		arrives := c.Timestamp.Add(slowLatency)
		if free.After(arrives) {
			arrives = *free
		}
		*free = arrives.Add(time.Duration(len(c.Data)) * time.Second / slowRate)
		time.Sleep(time.Until(*free))
	}
	return stub.WriteOutput(c, stuck) == nil
}
