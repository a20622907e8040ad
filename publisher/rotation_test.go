package publisher_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/publisher"
)

func TestTheFirstTokenIsStoredAtOnce(t *testing.T) {
	onBothEndpoints(t, wxsim.Options{}, func(t *testing.T, w *world, endpoint wechat.Endpoint) {
		w.start(w.config(endpoint))
		v := w.valueWithin(2*time.Second, anyValue)
		if v.Reason != wire.ReasonStartup || v.Publisher != "host-a/1" || v.Endpoint != string(endpoint) || v.Fence == 0 ||
			v.PreviousID != "" || !v.ExpiresAt.Equal(v.MintedAt.Add(7200*time.Second)) {
			t.Errorf("stored %+v", v)
		}
		if w.mints() != 1 || w.events(wire.EventMinted) != 1 {
			t.Errorf("%d mints, %d events", w.mints(), w.events(wire.EventMinted))
		}
	})
}

func TestI6ADayAndMoreOfRotationsHasNoGap(t *testing.T) {
	onBothEndpoints(t, wxsim.Options{}, func(t *testing.T, w *world, endpoint wechat.Endpoint) {
		hours := time.Duration(25)
		if testing.Short() { // the race detector makes a day long
			hours = 5
		}
		w.start(w.config(endpoint))
		w.value(anyValue)
		stop := w.watchForGaps(10 * time.Second)
		time.Sleep(hours * time.Hour)
		stop()
		if got, want := w.mints(), 1+int64(hours*60/115); got != want { // one each 115 minutes
			t.Errorf("%d mints in %d hours, want %d", got, hours, want)
		}
		if s := w.stats(); s.SameToken > 0 || len(s.Refused) > 0 || s.Checks > 0 {
			t.Errorf("needless calls: %+v", s)
		}
	})
}

func TestI6TokensOfSecondsRotateWithoutAGap(t *testing.T) {
	for _, life := range []time.Duration{6 * time.Second, time.Minute} {
		t.Run(life.String(), func(t *testing.T) {
			onBothEndpoints(t, wxsim.Options{ExpiresIn: life}, func(t *testing.T, w *world, endpoint wechat.Endpoint) {
				w.start(w.config(endpoint))
				w.value(anyValue)
				stop := w.watchForGaps(life / 100)
				time.Sleep(25 * life)
				stop()
				least, most := int64(25), int64(27) // stable_token gives a new one in the last 24th of its life
				if endpoint == wechat.PlainToken {
					least, most = 49, 51 // at half of it
				}
				if got := w.mints(); got < least || got > most {
					t.Errorf("%d mints in 25 lives, want %d to %d", got, least, most)
				}
				if s := w.stats(); s.SameToken > 25*15 {
					t.Errorf("stable_token was asked %d times too often in 25 lives", s.SameToken)
				}
			})
		})
	}
}

func TestI3RestartingAndAddingPublishersMintsNothing(t *testing.T) {
	onBothEndpoints(t, wxsim.Options{}, func(t *testing.T, w *world, endpoint wechat.Endpoint) {
		stop := w.start(w.config(endpoint))
		first := w.value(anyValue)
		for range 5 {
			stop()
			time.Sleep(time.Minute)
			stop = w.start(w.config(endpoint))
			time.Sleep(time.Minute)
		}
		for i := range 3 {
			w.start(w.named(fmt.Sprintf("host-%d/1", i), endpoint))
		}
		time.Sleep(time.Hour)
		if v, _ := w.stored(); v.Generation != first.Generation || w.mints() != 1 || w.stats().SameToken != 0 {
			t.Errorf("%d mints, now %+v", w.mints(), v)
		}
	})
}

// alone fails the test if two calls to WeChat that may mint overlap.
type alone struct {
	publisher.Minter
	t     *testing.T
	calls *atomic.Int32
}

func (m alone) Mint(ctx context.Context, force bool) (wechat.Minted, error) {
	if m.calls.Add(1) > 1 {
		m.t.Error("two publishers mint at once")
	}
	defer m.calls.Add(-1)
	return m.Minter.Mint(ctx, force)
}

func TestI1ThreePublishersSideBySideMintOnceForEachRotation(t *testing.T) {
	onBothEndpoints(t, wxsim.Options{}, func(t *testing.T, w *world, endpoint wechat.Endpoint) {
		w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Delay, Delay: 700 * time.Millisecond})
		var calls atomic.Int32
		for i := range 3 {
			cfg := w.named(fmt.Sprintf("host-%d/1", i), endpoint)
			cfg.Accounts[0].Minter = alone{cfg.Accounts[0].Minter, t, &calls}
			w.start(cfg)
		}
		w.value(anyValue)
		lasts, want := rotations()
		time.Sleep(lasts)
		if s := w.stats(); w.mints() != want || s.SameToken != 0 {
			t.Errorf("%d mints in %v, want %d; stable_token gave the same one %d times", w.mints(), lasts, want, s.SameToken)
		}
	})
}

// rotations is a time of fake hours, and how many tokens it takes, of which each lasts 115 minutes. With -short, which the
// race detector needs most, it is one rotation.
func rotations() (lasts time.Duration, tokens int64) {
	if testing.Short() {
		return 2 * time.Hour, 2
	}
	return 6 * time.Hour, 4
}

func TestAFixedRateRefreshesBesideTheExpiry(t *testing.T) {
	t.Run("token", func(t *testing.T) {
		inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
			cfg := w.config(wechat.PlainToken)
			cfg.RefreshEvery = time.Hour
			w.start(cfg)
			w.value(anyValue)
			defer w.watchForGaps(time.Minute)()
			time.Sleep(8*time.Hour + time.Minute)
			if got := w.mints(); got < 8 || got > 9 {
				t.Errorf("%d mints in 8 hours", got)
			}
		})
	})
	// stable_token gives the same token when asked in the middle of its life; 50 minutes don't divide it, and the call
	// near its end must not wait for the fixed rate.
	t.Run("stable_token", func(t *testing.T) {
		inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
			cfg := w.config(wechat.StableToken)
			cfg.RefreshEvery = 50 * time.Minute
			w.start(cfg)
			w.value(anyValue)
			defer w.watchForGaps(time.Minute)()
			time.Sleep(8 * time.Hour)
			if got, same := w.mints(), w.stats().SameToken; got != 5 || same < 8 || same > 10 {
				t.Errorf("%d mints and %d calls for nothing", got, same)
			}
		})
	})
}

func TestTheInitialDelayIsForTheFirstTokenOnly(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		cfg := w.config(wechat.StableToken)
		cfg.InitialDelay = time.Minute
		stop := w.start(cfg)
		time.Sleep(59 * time.Second)
		if w.mints() != 0 {
			t.Error("minted before the delay was over")
		}
		v := w.valueWithin(2*time.Second, anyValue)
		stop()
		time.Sleep(time.Until(v.ExpiresAt) - 10*time.Second)
		w.start(cfg)
		w.valueWithin(time.Second, not(v.ID))
	})
}

func TestAnEarlierEndOnTheKeyIsObeyed(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.PlainToken))
		v := w.value(anyValue)
		time.Sleep(time.Minute)
		shorter := v
		shorter.Generation++
		shorter.ExpiresAt = time.Now().Add(10 * time.Minute)
		w.put(shorter)
		time.Sleep(4 * time.Minute)
		if w.mints() != 1 {
			t.Error("refreshed too early")
		}
		w.valueWithin(2*time.Minute, not(v.ID))
	})
}

// When an operator stores a value with an end that is too early, stable_token gives the same token, with what it really
// has left. Without taking that over, readers would drop a good token, and WeChat be asked for hours, 20 times a second.
func TestATokenThatLivesLongerThanTheKeySaysIsProlonged(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.StableToken))
		v := w.value(anyValue)
		time.Sleep(time.Minute)
		shorter := v
		shorter.Generation++
		shorter.ExpiresAt = time.Now().Add(6 * time.Minute)
		w.put(shorter)
		long := w.valueWithin(2*time.Minute, func(now wire.Value) bool { return now.Generation > shorter.Generation })
		if long.ID != v.ID || long.ExpiresAt.Before(v.ExpiresAt.Add(-time.Second)) || long.ExpiresAt.After(v.ExpiresAt.Add(time.Second)) {
			t.Errorf("prolonged to %+v", long)
		}
		time.Sleep(time.Hour)
		if s := w.stats(); w.mints() != 1 || s.SameToken != 1 {
			t.Errorf("%d mints, %d calls for nothing", w.mints(), s.SameToken)
		}
	})
}

func TestATokenThatAnotherPublisherStoredIsKnown(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.PlainToken))
		v := w.value(anyValue)
		time.Sleep(time.Hour)
		info, err := w.sim.Token(appid, wxsim.ChannelToken)
		if err != nil {
			t.Fatal(err)
		}
		newer := v
		newer.Generation++
		newer.Token = info.Token
		newer.MintedAt, newer.ExpiresAt = time.Now(), time.Now().Add(2*time.Hour)
		w.put(newer)
		time.Sleep(114 * time.Minute)
		if w.mints() != 1 {
			t.Error("minted by the old schedule")
		}
		time.Sleep(2 * time.Minute)
		if w.mints() != 2 {
			t.Errorf("%d mints by the new schedule", w.mints())
		}
	})
}
