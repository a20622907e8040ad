package publisher

import (
	"testing"
	"time"
)

func TestClockLearnsTheServersTime(t *testing.T) {
	start := time.Now()
	here := start
	c := clock{local: func() time.Time { return here }}
	at := func(d time.Duration) time.Time { return start.Round(0).Add(d) }
	for _, step := range []struct {
		what            string
		asked, answered time.Duration // by our clock
		server          time.Duration // as it shows there
		off, now        time.Duration
	}{
		{"agrees, as far as one sees", 0, 100 * time.Millisecond, 40 * time.Millisecond, 0, 40 * time.Millisecond},
		{"agrees still, so nothing moves", time.Second, 1100 * time.Millisecond, time.Second, 0, 1040 * time.Millisecond},
		{"agrees in a slow answer", 2 * time.Second, 4 * time.Second, 3 * time.Second, 0, 3940 * time.Millisecond},
		{"ahead of ours", 5 * time.Second, 6 * time.Second, 5 * time.Minute, 5*time.Minute - 5940*time.Millisecond, 5 * time.Minute},
		{"behind ours", 7 * time.Second, 7 * time.Second, time.Second, -5 * time.Minute, time.Second},
	} {
		here = start.Add(step.answered)
		if off := c.learn(at(step.server), start.Add(step.asked), here); off != step.off {
			t.Errorf("%s: off by %v, want %v", step.what, off, step.off)
		}
		if now := c.now(); !now.Equal(at(step.now)) {
			t.Errorf("%s: now is %v, want %v", step.what, now.Sub(at(0)), step.now)
		}
	}
	here = here.Add(time.Hour)
	if now := c.now(); !now.Equal(at(time.Hour + time.Second)) {
		t.Errorf("an hour later: %v", now.Sub(at(0)))
	}
}

func TestClockIsTheLocalOneAtFirst(t *testing.T) {
	start := time.Now()
	c := clock{local: func() time.Time { return start }}
	if now := c.now(); !now.Equal(start) {
		t.Errorf("%v, want %v", now, start)
	}
}
