package publisher_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

// askAtOnce sends n requests side by side and counts the outcomes; error codes count as such.
func (w *world) askAtOnce(n int, subject, payload string) map[string]int {
	w.t.Helper()
	counts := make(map[string]int)
	var mu sync.Mutex
	var wait sync.WaitGroup
	for range n {
		wait.Go(func() {
			reply, fault := w.ask(subject, payload)
			mu.Lock()
			defer mu.Unlock()
			if fault != nil {
				counts[fault.code]++
				return
			}
			counts[string(reply.Outcome)]++
		})
	}
	wait.Wait()
	return counts
}

func (w *world) revoke(endpoint wechat.Endpoint, sticky bool) {
	w.t.Helper()
	if err := w.sim.Revoke(appid, channelOf(endpoint), sticky); err != nil {
		w.t.Fatal(err)
	}
}

func TestI4AThousandReportsOfADeadTokenLeadToOneMint(t *testing.T) {
	for _, publishers := range []int{1, 3} {
		for _, sticky := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d publishers, sticky %v", publishers, sticky), func(t *testing.T) {
				onBothEndpoints(t, wxsim.Options{}, func(t *testing.T, w *world, endpoint wechat.Endpoint) {
					for i := range publishers {
						w.start(w.named(fmt.Sprintf("host-%d/1", i), endpoint))
					}
					dead := w.value(anyValue)
					time.Sleep(time.Hour)
					w.revoke(endpoint, sticky)
					began := time.Now()
					counts := w.askAtOnce(1000, names.RefreshSubject(), report(dead))
					if counts["replaced"]+counts["already_replaced"] != 1000 || counts["replaced"] == 0 {
						t.Errorf("outcomes %v", counts)
					}
					if took := time.Since(began); took > 3*time.Second {
						t.Errorf("the replies took %v", took)
					}
					v, _ := w.stored()
					if w.mints() != 2 || v.PreviousID != dead.ID || v.Reason != wire.ReasonReported || w.sim.CheckToken(v.Token.Reveal()) != 0 {
						t.Errorf("%d mints, now %+v", w.mints(), v)
					}
					if s := w.stats(); sticky && endpoint == wechat.StableToken && s.Mints.Force != 1 || !sticky && s.Mints.Force != 0 {
						t.Errorf("%d forced refreshes", s.Mints.Force)
					}
					if s := w.stats(); s.Checks > int64(2*publishers) {
						t.Errorf("%d checks", s.Checks)
					}
					if got := w.events(wire.EventForeignMinter); got < 1 || got > publishers {
						t.Errorf("%d events tell of a token that died early", got)
					}
				})
			})
		}
	}
}

func TestReportsOfAReplacedTokenAreAnsweredWithoutWeChat(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.named("host-0/1", wechat.PlainToken))
		w.start(w.named("host-1/1", wechat.PlainToken))
		old := w.value(anyValue)
		time.Sleep(2 * time.Hour)
		now, _ := w.stored()
		before := w.stats()
		for range 100 {
			reply, fault := w.ask(names.AccountRefreshSubject(appid), report(old))
			if fault != nil || reply.Outcome != wire.AlreadyReplaced || reply.ID != now.ID || reply.Generation != now.Generation ||
				!reply.ExpiresAt.Equal(now.ExpiresAt) || reply.Revision == 0 || reply.AppID != appid {
				t.Fatalf("reply %+v, %+v", reply, fault)
			}
		}
		if after := w.stats(); after.Accepted != before.Accepted || after.Checks != 0 {
			t.Errorf("WeChat was called: %+v", after)
		}
	})
}

func TestI5AWrongReportMintsNothing(t *testing.T) {
	onBothEndpoints(t, wxsim.Options{}, func(t *testing.T, w *world, endpoint wechat.Endpoint) {
		w.start(w.config(endpoint))
		v := w.value(anyValue)
		time.Sleep(time.Minute)
		reply, fault := w.ask(names.RefreshSubject(), report(v))
		if fault != nil || reply.Outcome != wire.StillValid || reply.ID != v.ID {
			t.Errorf("reply %+v, %+v", reply, fault)
		}
		if counts := w.askAtOnce(1000, names.RefreshSubject(), report(v)); counts["still_valid"] != 1000 {
			t.Errorf("outcomes %v", counts)
		}
		if s := w.stats(); w.mints() != 1 || s.Checks != 2 {
			t.Errorf("%d mints, %d checks", w.mints(), s.Checks)
		}
	})
}

func TestI5ChecksBackOffWhileWrongReportsKeepComing(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.StableToken))
		v := w.value(anyValue)
		replaced := v
		replaced.ID = "0123456789abcdef"
		time.Sleep(time.Minute)
		began := time.Now()
		var waits []time.Duration
		for range 8 {
			asked := time.Now()
			if reply, _ := w.ask(names.RefreshSubject(), report(v)); reply.Outcome != wire.StillValid {
				t.Fatalf("outcome %q", reply.Outcome)
			}
			waits = append(waits, time.Since(asked).Round(time.Millisecond))
		}
		if waits[0] > 10*time.Millisecond || waits[1] < 250*time.Millisecond || waits[7] < 1900*time.Millisecond || waits[7] > 2100*time.Millisecond {
			t.Errorf("reports had to wait %v", waits)
		}
		if s := w.stats(); s.Checks != 8 || time.Since(began) < 10*time.Second {
			t.Errorf("%d checks in %v", s.Checks, time.Since(began))
		}
		// While the next check is far, what needs none is answered.
		go w.ask(names.RefreshSubject(), report(v))
		time.Sleep(10 * time.Millisecond)
		asked := time.Now()
		if reply, _ := w.ask(names.RefreshSubject(), report(replaced)); reply.Outcome != wire.AlreadyReplaced || time.Since(asked) > 150*time.Millisecond {
			t.Errorf("%q after %v", reply.Outcome, time.Since(asked))
		}
		time.Sleep(time.Minute)
		for range 2 { // the pace recovers
			asked = time.Now()
			w.ask(names.RefreshSubject(), report(v))
		}
		if took := time.Since(asked); took > 600*time.Millisecond {
			t.Errorf("after a quiet minute the second report waited %v", took)
		}
	})
}

func TestI5ATokenThatDiesAmidWrongReportsIsReplacedSoon(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.StableToken))
		v := w.value(anyValue)
		for range 8 {
			w.ask(names.RefreshSubject(), report(v))
		}
		time.Sleep(2 * time.Second)
		w.revoke(wechat.StableToken, false)
		died := time.Now()
		if reply, _ := w.ask(names.RefreshSubject(), report(v)); reply.Outcome != wire.Replaced || time.Since(died) > 400*time.Millisecond {
			t.Errorf("%q after %v", reply.Outcome, time.Since(died))
		}
	})
}

func TestI5FlappingMintsNothingUnlessTwoChecksInARowAreRefused(t *testing.T) {
	t.Run("one in a row", func(t *testing.T) {
		inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
			w.start(w.config(wechat.PlainToken))
			v := w.value(anyValue)
			for range 20 {
				w.fault(wxsim.Fault{Group: wxsim.GroupCheck, Kind: wxsim.Flap, Count: 1})
				if reply, fault := w.ask(names.RefreshSubject(), report(v)); reply.Outcome != wire.StillValid {
					t.Fatalf("%+v, %+v", reply, fault)
				}
			}
			if s := w.stats(); w.mints() != 1 || s.Checks != 40 {
				t.Errorf("%d mints, %d checks", w.mints(), s.Checks)
			}
		})
	})
	t.Run("seeded", func(t *testing.T) {
		const seed = 7
		inBubble(t, wxsim.Options{Seed: seed}, func(t *testing.T, w *world) {
			w.start(w.config(wechat.PlainToken))
			w.value(anyValue)
			w.fault(wxsim.Fault{Group: wxsim.GroupCheck, Kind: wxsim.Flap, Probability: 0.3})
			dead := int64(0)
			for range 30 {
				v, _ := w.stored()
				before := w.stats()
				reply, fault := w.ask(names.RefreshSubject(), report(v))
				after := w.stats()
				refused := after.Refused[40001] - before.Refused[40001]
				if fault != nil && fault.code != "429" {
					t.Fatalf("%+v", fault)
				}
				if minted := reply.Outcome == wire.Replaced; minted != (refused == 2 && fault == nil) {
					t.Fatalf("%q after %d refused checks", reply.Outcome, refused)
				} else if minted {
					dead++
				}
				time.Sleep(3 * time.Minute)
			}
			if w.mints() < 1+dead || dead == 0 {
				t.Errorf("%d mints, %d of them for reports", w.mints(), dead)
			}
		})
	})
}

func TestWithoutVerificationAReportMintsAtOnce(t *testing.T) {
	onBothEndpoints(t, wxsim.Options{}, func(t *testing.T, w *world, endpoint wechat.Endpoint) {
		cfg := w.config(endpoint)
		cfg.VerifyReports = false
		w.start(cfg)
		v := w.value(anyValue)
		reply, fault := w.ask(names.RefreshSubject(), report(v))
		if fault != nil || reply.Outcome != wire.Replaced || reply.ID == v.ID {
			t.Errorf("%+v, %+v", reply, fault)
		}
		if s := w.stats(); w.mints() != 2 || s.Checks != 0 {
			t.Errorf("%d mints, %d checks", w.mints(), s.Checks)
		}
	})
}

func TestAStrangerWhoMintsIsToldAndHealed(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.PlainToken))
		v := w.value(anyValue)
		for range 2 { // the second kills ours
			if _, err := w.sim.ForeignMint(appid, wxsim.ChannelToken, false); err != nil {
				t.Fatal(err)
			}
		}
		reply, _ := w.ask(names.RefreshSubject(), report(v))
		if reply.Outcome != wire.Replaced || w.events(wire.EventForeignMinter) != 1 {
			t.Errorf("%q, %d events", reply.Outcome, w.events(wire.EventForeignMinter))
		}
	})
}

func TestAPublishedReportDoesTheSameWork(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.PlainToken))
		v := w.value(anyValue)
		w.revoke(wechat.PlainToken, false)
		if err := w.nc.Publish(names.AccountRefreshSubject(appid), []byte(report(v))); err != nil {
			t.Fatal(err)
		}
		next := w.valueWithin(2*time.Second, not(v.ID))
		time.Sleep(time.Minute)
		if err := w.nc.Publish(names.RefreshSubject(), nil); err != nil {
			t.Fatal(err)
		}
		if v := w.valueWithin(2*time.Second, not(next.ID)); v.Reason != wire.ReasonManual {
			t.Errorf("reason %q", v.Reason)
		}
	})
}

// Whoever may ask could have a publisher delete its own bucket, or write a key, by naming that as the reply subject.
func TestNoReplyGoesWhereItWouldDoMore(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.StableToken))
		v := w.value(anyValue)
		for _, reply := range []string{
			"$JS.API.STREAM.DELETE.KV_wx_token", "$KV.wx_token." + appid + ".access_token", "wx.token.update." + appid + ".access_token",
			"wx.token.event." + appid + ".minted", "wx.token.refresh." + appid,
		} {
			for _, payload := range []string{"garbage", report(v), ""} {
				if err := w.nc.PublishRequest("wx.token.refresh."+appid, reply, []byte(payload)); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Minute)
		if now := w.value(anyValue); now.ID != v.ID || w.mints() != 1 {
			t.Errorf("holds %s after %s, %d mints", now.ID, v.ID, w.mints())
		}
		if w.logged("published refresh request is refused") == 0 {
			t.Error("nobody was told")
		}
		if reply, fault := w.ask("wx.token.refresh", report(v)); fault != nil || reply.Outcome != wire.StillValid {
			t.Errorf("a request after that: %+v, %+v", reply, fault)
		}
	})
}
