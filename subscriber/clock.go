package subscriber

import "time"

// clockNoise is the change of a token's end that comes from measuring, and is ignored.
const clockNoise = 50 * time.Millisecond

// clock relates the NATS server's time, in which stored values are written, to the local monotonic clock. So neither a
// wrong local clock nor one that is set while the service runs moves the end of a token.
type clock struct {
	server time.Time // what the server's clock showed …
	here   time.Time // … at this moment of ours
}

// localClock trusts the local wall clock, for want of better.
func localClock() clock {
	now := time.Now()
	return clock{server: now.Round(0), here: now}
}

// clockFrom is the clock learned from a server's reply that was stamped at server between sent and received.
func clockFrom(server, sent, received time.Time) clock {
	return clock{server: server, here: sent.Add(received.Sub(sent) / 2)}
}

// local translates an instant of the server's clock into one of ours.
func (c clock) local(server time.Time) time.Time {
	return c.here.Add(server.Sub(c.server))
}
