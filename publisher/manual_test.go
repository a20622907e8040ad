package publisher_test

import (
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

func TestAManualRefreshReplacesTheTokenUnlessItIsTooSoon(t *testing.T) {
	onBothEndpoints(t, wxsim.Options{}, func(t *testing.T, w *world, endpoint wechat.Endpoint) {
		w.start(w.config(endpoint))
		v := w.value(anyValue)
		time.Sleep(time.Until(v.MintedAt.Add(29 * time.Second)))
		if reply, fault := w.ask(names.RefreshSubject(), ""); fault != nil || reply.Outcome != wire.TooSoon || reply.ID != v.ID {
			t.Errorf("%+v, %+v", reply, fault)
		}
		time.Sleep(2 * time.Second)
		reply, fault := w.ask(names.RefreshSubject(), "")
		now, _ := w.stored()
		if fault != nil || reply.Outcome != wire.Replaced || reply.ID == v.ID || now.ID != reply.ID || now.Reason != wire.ReasonManual {
			t.Errorf("%+v, %+v, stored %+v", reply, fault, now)
		}
		if w.mints() != 2 {
			t.Errorf("%d mints", w.mints())
		}
	})
}

func TestI10RequestsByHandHaveABudgetThatSurvivesARestart(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		cfg := w.config(wechat.PlainToken)
		cfg.MinRefreshInterval = 0
		stop := w.start(cfg)
		w.value(anyValue)
		for i := range 10 {
			if reply, fault := w.ask(names.RefreshSubject(), ""); reply.Outcome != wire.Replaced {
				t.Fatalf("request %d: %+v", i, fault)
			}
			if i == 4 {
				stop()
				stop = w.start(cfg)
				time.Sleep(time.Second)
			}
		}
		defer w.watchForGaps(time.Minute)()
		for range 100 {
			_, fault := w.ask(names.RefreshSubject(), "")
			if fault == nil || fault.code != "429" || fault.RetryAt == nil {
				t.Fatalf("%+v", fault)
			}
			if wait := time.Until(*fault.RetryAt); wait < 4*time.Minute || wait > 5*time.Minute {
				t.Fatalf("retry in %v", wait)
			}
		}
		if w.events(wire.EventBudgetSpent) != 1 || w.logged("budget is spent, the token stays as it is") != 1 {
			t.Errorf("told %d times, logged %d times", w.events(wire.EventBudgetSpent), w.logged("budget is spent, the token stays as it is"))
		}
		stop()
		w.start(w.named("host-b/1", wechat.PlainToken))
		time.Sleep(45 * time.Second)
		if _, fault := w.ask(names.RefreshSubject(), ""); fault == nil || fault.code != "429" {
			t.Errorf("after a restart: %+v", fault)
		}
		time.Sleep(5 * time.Minute)
		if reply, fault := w.ask(names.RefreshSubject(), ""); reply.Outcome != wire.Replaced {
			t.Errorf("5 minutes later: %+v", fault)
		}
		before := w.mints()
		time.Sleep(2 * time.Hour)
		if w.mints() != before+1 {
			t.Errorf("%d scheduled mints", w.mints()-before)
		}
	})
}

func TestI10ForcedRefreshesAreFewAndFarBetween(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		cfg := w.config(wechat.StableToken)
		cfg.MinRefreshInterval = 0
		w.start(cfg)
		w.value(anyValue)
		if reply, _ := w.ask(names.RefreshSubject(), ""); reply.Outcome != wire.Replaced {
			t.Errorf("first forced: %+v", reply)
		}
		_, fault := w.ask(names.RefreshSubject(), "")
		if fault == nil || fault.code != "429" || fault.RetryAt == nil || time.Until(*fault.RetryAt) > 30*time.Second {
			t.Errorf("within 30 s: %+v", fault)
		}
		for forced := 1; forced < 20; forced++ {
			time.Sleep(5 * time.Minute)
			v, _ := w.stored()
			w.revoke(wechat.StableToken, true)
			if reply, fault := w.ask(names.RefreshSubject(), report(v)); reply.Outcome != wire.Replaced {
				t.Fatalf("forced refresh %d: %+v", forced+1, fault)
			}
		}
		time.Sleep(5 * time.Minute)
		v, _ := w.stored()
		w.revoke(wechat.StableToken, true)
		for range 50 {
			_, fault = w.ask(names.RefreshSubject(), report(v))
			if fault == nil || fault.code != "429" {
				t.Fatalf("21st: %+v", fault)
			}
		}
		// It is the year 2000, 00:00 UTC is 08:00 in Beijing, and the next day there begins at 16:00 UTC.
		if fault.RetryAt == nil || !fault.RetryAt.Equal(time.Date(2000, 1, 1, 16, 0, 0, 0, time.UTC)) {
			t.Errorf("retry at %v", fault.RetryAt)
		}
		if s := w.stats(); s.Mints.Force != 20 || s.Refused[45009] != 0 {
			t.Errorf("%+v", s)
		}
		time.Sleep(2 * time.Hour)
		if now, _ := w.stored(); now.ID == v.ID {
			t.Error("the schedule was held back")
		}
		if w.events(wire.EventBudgetSpent) > 3 {
			t.Errorf("%d events tell of a spent budget", w.events(wire.EventBudgetSpent))
		}
	})
}
