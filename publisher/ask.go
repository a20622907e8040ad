package publisher

import (
	"errors"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// errStopping answers what comes while the publisher shuts down; another replica, or the next start, serves it.
var errStopping = errors.New("publisher is stopping")

// ask is one wish for a token: the schedule's, an operator's, or a service's whose token was refused.
type ask struct {
	reason wire.Reason // ReasonScheduled, ReasonManual or ReasonReported
	id     string      // of the refused token
	code   int         // WeChat's errcode, as the service tells it
	client string
	answer func(answer) // called once, must not block
}

// answer is what became of an ask.
type answer struct {
	outcome wire.Outcome
	current stored
	err     error
}

// batch is the asks that go through the refresh path together. Asks leave it when they are answered.
type batch struct {
	asks     []*ask
	verified bool // the reports in it were checked: WeChat refuses the token
}

func (b *batch) empty() bool { return len(b.asks) == 0 }

// takeAll empties the batch without answering.
func (b *batch) takeAll() []*ask {
	asks := b.asks
	b.asks = nil
	return asks
}

// answerIf answers the asks for which pick holds.
func (b *batch) answerIf(pick func(*ask) bool, with answer) (answered int) {
	rest := b.asks[:0]
	for _, k := range b.asks {
		if pick(k) {
			k.answer(with)
			answered++
			continue
		}
		rest = append(rest, k)
	}
	b.asks = rest
	return answered
}

func (b *batch) answerAll(with answer) int {
	return b.answerIf(every, with)
}

func (b *batch) has(reason wire.Reason) bool {
	for _, k := range b.asks {
		if k.reason == reason {
			return true
		}
	}
	return false
}

func (b *batch) isOnly(reason wire.Reason) bool {
	for _, k := range b.asks {
		if k.reason != reason {
			return false
		}
	}
	return true
}

func is(reason wire.Reason) func(*ask) bool {
	return func(k *ask) bool { return k.reason == reason }
}

// answerReports answers the reports for which pick holds, and tells about them.
func (a *account) answerReports(b *batch, pick func(*ask) bool, with answer) {
	var first *ask
	n := b.answerIf(func(k *ask) bool {
		picked := k.reason == wire.ReasonReported && pick(k)
		if picked && first == nil {
			first = k
		}
		return picked
	}, with)
	if n > 0 {
		a.tellReports(first, n, with)
	}
}

func every(*ask) bool { return true }

// settle answers what needs no work, now that the key holds current.
func (a *account) settle(b *batch, current stored) {
	now := a.clock.now()
	if !a.due(current, now) {
		b.answerIf(is(wire.ReasonScheduled), answer{current: current})
	}
	if !current.live(now) || a.mustStore(current) {
		return
	}
	a.answerReports(b, func(k *ask) bool { return k.id != current.ID }, answer{outcome: wire.AlreadyReplaced, current: current})
	if now.Sub(current.MintedAt) < a.cfg.MinRefreshInterval {
		b.answerIf(is(wire.ReasonManual), answer{outcome: wire.TooSoon, current: current})
	}
}
