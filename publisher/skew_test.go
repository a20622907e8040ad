package publisher_test

import (
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

// clocksOff are by how much the clocks of a fleet's machines are ahead, in hours that no daemon sets them.
var clocksOff = map[string]time.Duration{"ahead/1": 11 * time.Minute, "behind/1": -17 * time.Minute, "right/1": 0}

func TestClocksThatAreOffChangeNothing(t *testing.T) {
	onBothEndpoints(t, wxsim.Options{}, func(t *testing.T, w *world, endpoint wechat.Endpoint) {
		began := time.Now()
		for name, off := range clocksOff {
			w.startWithClock(w.named(name, endpoint), off)
		}
		v := w.valueWithin(2*time.Second, anyValue)
		if early := v.MintedAt.Sub(began); early < -time.Millisecond || early > time.Second {
			t.Errorf("minted at %v from now, by %s", early, v.Publisher)
		}
		stop := w.watchForGaps(10 * time.Second)
		lasts, want := rotations()
		time.Sleep(lasts)
		stop()
		if got := w.mints(); got != want {
			t.Errorf("%d mints in %v, want %d", got, lasts, want)
		}
		if s := w.stats(); s.SameToken > 0 || len(s.Refused) > 0 || s.Checks > 0 {
			t.Errorf("needless calls: %+v", s)
		}
		if w.warned("the NATS server's clock is another than ours, and is what counts") != 2 {
			t.Error("not told of both clocks, once each")
		}
	})
}

func TestClocksThatAreOffShareOneBudget(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		for name, off := range clocksOff {
			w.startWithClock(w.named(name, wechat.PlainToken), off)
		}
		w.value(anyValue)
		for i := range 10 {
			time.Sleep(31 * time.Second) // WX_MIN_REFRESH_INTERVAL
			if reply, fault := w.ask("wx.token.refresh", ""); fault != nil || reply.Outcome != "replaced" {
				t.Fatalf("request %d: %+v, %+v", i, reply, fault)
			}
		}
		time.Sleep(31 * time.Second)
		if _, fault := w.ask("wx.token.refresh", ""); fault != nil {
			t.Fatalf("one more after five minutes: %+v", fault)
		}
		for range 3 { // whoever answers
			time.Sleep(31 * time.Second)
			_, fault := w.ask("wx.token.refresh", "")
			if fault == nil || fault.code != "429" {
				t.Fatalf("beyond the budget: %+v", fault)
			}
			if in := time.Until(*fault.RetryAt); in < 3*time.Minute || in > 5*time.Minute {
				t.Errorf("spent for %v", in)
			}
		}
	})
}
