package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/wxtoken/wxtoken/internal/soak/record"
	"github.com/wxtoken/wxtoken/internal/soak/stage"
)

// fault is something that a lane may do. strike returns when all is mended.
type fault struct {
	weight int
	strike func(l *lane) error
}

// lane strikes one kind of part.
type lane struct {
	*stage.Stage
	ctx  context.Context // ends when the faults are to end: what is struck then is mended, and no more begins
	rng  *rand.Rand
	mend context.Context // for mending: it outlives ctx
}

// betweenElections is what Raft needs between two faults so that they are two, not one.
const betweenElections = 3 * time.Second

// Run strikes all lanes until ctx ends, and returns when all is mended. An error means that the soak could not do what it
// wanted, not that what it struck did wrong.
func Run(ctx context.Context, s *stage.Stage, seed uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	var mu sync.Mutex
	var errs error
	for i, plan := range []struct {
		name   string
		pause  span
		faults []fault
	}{
		{"NATS", span{betweenElections, 3 * betweenElections}, natsFaults},
		{"publishers", span{time.Second, 6 * time.Second}, publisherFaults},
		{"clients", span{2 * time.Second, 8 * time.Second}, clientFaults},
		{"mints", span{time.Second, 4 * time.Second}, mintFaults},
		{"WeChat", span{time.Second, 5 * time.Second}, newTokenFaults()},
	} {
		l := &lane{Stage: s, ctx: ctx, mend: context.WithoutCancel(ctx), rng: rand.New(rand.NewPCG(seed, uint64(i)))}
		group.Go(func() {
			if err := l.run(plan.pause, plan.faults); err != nil {
				mu.Lock()
				errs = errors.Join(errs, fmt.Errorf("faults of %s: %w", plan.name, err))
				mu.Unlock()
				cancel()
			}
		})
	}
	group.Wait()
	return errs
}

func (l *lane) run(pause span, faults []fault) error {
	for l.wait(pause) {
		if err := l.pick(faults).strike(l); err != nil {
			return err
		}
	}
	return nil
}

func (l *lane) pick(faults []fault) fault {
	sum := 0
	for _, f := range faults {
		sum += f.weight
	}
	n := l.rng.IntN(sum)
	for _, f := range faults {
		if n -= f.weight; n < 0 {
			return f
		}
	}
	panic("weights don't add up")
}

// span is a range of times.
type span struct{ from, to time.Duration }

// wait waits for a time of the span, and tells whether the faults go on.
func (l *lane) wait(s span) bool {
	select {
	case <-l.ctx.Done():
		return false
	case <-time.After(s.from + time.Duration(l.rng.Int64N(int64(s.to-s.from)))):
		return true
	}
}

// during notes a trouble for a time of the span.
func (l *lane) during(s span, kind record.Kind, what string, on ...string) {
	end := l.Book.Trouble(kind, what, on...)
	defer end()
	l.wait(s)
}

func (l *lane) chance(percent int) bool { return l.rng.IntN(100) < percent }

func oneOf[T any](l *lane, list []T) T { return list[l.rng.IntN(len(list))] }
