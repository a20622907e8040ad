package wxsim

import (
	"testing"
	"time"
)

func TestStableGivesTheSameUntilItsRollover(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.stable()
		time.Sleep(1500 * time.Millisecond)
		if b := w.stable(); b.Token != a.Token || b.Expires != 7198 {
			t.Errorf("after 1.5 s: same=%t expires_in=%d, want the same and 7198", b.Token == a.Token, b.Expires)
		}
		time.Sleep(6898500*time.Millisecond - 1)
		if b := w.stable(); b.Token != a.Token || b.Expires != 300 {
			t.Errorf("just before the roll-over: same=%t expires_in=%d, want the same and 300", b.Token == a.Token, b.Expires)
		}
		time.Sleep(time.Nanosecond)
		b := w.stable()
		if b.Token == a.Token || b.Expires != 7200 {
			t.Errorf("at the roll-over: same=%t expires_in=%d, want a new one", b.Token == a.Token, b.Expires)
		}
		w.wants("rolled over", a.Token, 0)
		time.Sleep(300 * time.Second)
		w.wants("rolled over, at its own end", a.Token, 42001)
	})
}

func TestForce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.stable()
		b := w.minted(w.force())
		if b.Token == a.Token || b.Expires != 7200 {
			t.Error("a forced refresh gave no new token")
		}
		w.wants("before the force", a.Token, 0)
		time.Sleep(30*time.Second - 1)
		if c := w.force(); c.Token != b.Token || c.Expires != 7170 {
			t.Errorf("force within the gap: same=%t expires_in=%d, want the current token and 7170", c.Token == b.Token, c.Expires)
		}
		time.Sleep(time.Nanosecond)
		w.wants("the leak recipe, before its second half", a.Token, 0)
		if c := w.minted(w.force()); c.Token == b.Token {
			t.Error("force after the gap gave the same token")
		}
		w.wants("leaked token after two forces", a.Token, 40001)
		w.wants("previous", b.Token, 0)
		if got := w.stats(appid); got.Mints.Force != 2 || got.SameToken != 1 {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestForceKnobs(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.stable()
		b := w.minted(w.force())
		w.wants("killed by force", a.Token, 40001)
		code(t, "early force", w.force(), 45011)
		w.wants("current", b.Token, 0)
	}, withKnobs(Knobs{ForceKills: true, EarlyForceCode: 45011}))
}

func TestForceQuota(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for i := range 20 {
			w.minted(w.force())
			w.force() // too early: not refreshed, not counted
			if time.Sleep(30 * time.Second); i == 19 {
				code(t, "21st force", w.force(), 45009)
			}
		}
		w.minted(w.stable())
		time.Sleep(24 * time.Hour)
		w.minted(w.force())
	})
}

// Everything that takes hours with real tokens takes seconds with tokens that live 6 s.
func TestSixSecondTokens(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.minted(w.stable())
		if a.Expires != 6 {
			t.Errorf("expires_in %d, want 6", a.Expires)
		}
		time.Sleep(5750*time.Millisecond - 1)
		if b := w.stable(); b.Token != a.Token || b.Expires != 1 {
			t.Errorf("before the scaled roll-over: same=%t expires_in=%d, want the same, and 1 as there is no 0", b.Token == a.Token, b.Expires)
		}
		time.Sleep(time.Nanosecond)
		b := w.stable()
		if b.Token == a.Token {
			t.Error("no roll-over at 250 ms")
		}
		w.wants("rolled over", a.Token, 0)
		time.Sleep(250 * time.Millisecond)
		w.wants("rolled over, at its end", a.Token, 42001)

		c := w.force()
		time.Sleep(25*time.Millisecond - 1)
		if d := w.force(); d.Token != c.Token {
			t.Error("the gap between forces is shorter than 25 ms")
		}
		time.Sleep(time.Nanosecond)
		if d := w.force(); d.Token == c.Token {
			t.Error("the gap between forces is longer than 25 ms")
		}

		e, _ := w.token(), w.token()
		time.Sleep(250*time.Millisecond - 1)
		w.wants("previous", e.Token, 0)
		time.Sleep(time.Nanosecond)
		w.wants("previous after its grace", e.Token, 40001)
	}, withLife(6*time.Second))
}
