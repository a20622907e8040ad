package publisher

import "time"

// SetClockOff makes p believe that its machine's clock is ahead by off. It is for before Run.
func (p *Publisher) SetClockOff(off time.Duration) {
	p.clock.local = func() time.Time { return time.Now().Add(off) }
}
