package publisher_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/publisher"
)

func TestStoppingInTheMidstOfAHangingMintTakesSeconds(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		cfg := w.config(wechat.PlainToken)
		cfg.HTTPTimeout, cfg.LeaseTTL = 40*time.Second, 50*time.Second
		client, err := wechat.NewClient(wechat.Config{Bases: []string{"https://api.weixin.qq.com"}, Timeout: 40 * time.Second, Transport: w.sim.Transport()})
		w.must(err)
		cfg.Accounts[0].Minter = client.Account(appid, secret.New(appSecret), wechat.PlainToken)
		w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Hang, Count: 1})
		stop := w.start(cfg)
		time.Sleep(2 * time.Second)
		faults := make(chan *fault, 1)
		go func() {
			_, f := w.ask(names.RefreshSubject(), "")
			faults <- f
		}()
		time.Sleep(time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if f := <-faults; f == nil || f.code != "503" {
			t.Errorf("a request under way is answered %+v", f)
		}
		w.start(w.named("host-b/1", wechat.PlainToken)) // the lease was given up
		w.valueWithin(2*time.Second, anyValue)
	})
}

func TestStoppingLetsAMintFinish(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Delay, Delay: 3 * time.Second})
		stop := w.start(w.config(wechat.PlainToken))
		time.Sleep(time.Second)
		stop()
		if v, found := w.stored(); !found || w.mints() != 1 {
			t.Errorf("%d mints, stored %v, %+v", w.mints(), found, v)
		}
	})
}

func TestStoppingWhileNATSIsAway(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		stop := w.start(w.config(wechat.PlainToken))
		w.value(anyValue)
		w.nats.Stop()
		time.Sleep(time.Minute)
		began := time.Now()
		stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestRunWaitsForNATS(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.nats.Stop()
		stop := w.start(w.config(wechat.StableToken))
		time.Sleep(10 * time.Minute)
		stop() // is no error either
		w.start(w.config(wechat.StableToken))
		time.Sleep(10 * time.Minute)
		w.nats.Resume()
		w.valueWithin(5*time.Second, anyValue)
		if got := w.out.Count(`"level":"WARN"`); got > 8 {
			t.Errorf("%d warnings\n%s", got, w.out.Tail())
		}
	})
}

func TestAnHourWithoutNATSIsLoggedInAFewLines(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.StableToken))
		v := w.value(anyValue)
		w.nats.Stop()
		time.Sleep(3 * time.Hour) // the token dies meanwhile
		if got := w.out.Count("\n"); got > 60 {
			t.Errorf("%d lines", got)
		}
		if got := w.out.Count(`"level":"WARN"`) + w.out.Count(`"level":"ERROR"`); got > 6 {
			t.Errorf("%d warnings\n%s", got, w.out.Tail())
		}
		w.nats.Resume()
		w.valueWithin(6*time.Second, not(v.ID))
		if w.mints() != 2 {
			t.Errorf("%d mints", w.mints())
		}
	})
}

func TestABucketThatCantBeUsedIsAnError(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		_, err := w.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: names.Bucket, History: 1})
		w.must(err)
		cfg := w.config(wechat.StableToken)
		cfg.Conn = w.nc
		p, err := publisher.New(cfg)
		w.must(err)
		if _, ok := errors.AsType[*bus.BucketError](p.Run(t.Context())); !ok {
			t.Errorf("Run returns %v", err)
		}
	})
}

func TestNewTellsEveryMistakeAtOnce(t *testing.T) {
	_, err := publisher.New(publisher.Config{
		Accounts: []publisher.Account{
			{AppID: "wx 1"},
			{AppID: "wx1", Endpoint: wechat.StableToken},
			{AppID: "wx1", Endpoint: "code"},
		},
		Names:        wire.Names{Bucket: "a b", Prefix: "wx.token"},
		RefreshAhead: time.Second, RefreshEvery: -1,
		HTTPTimeout: 0, LeaseTTL: 1500 * time.Millisecond,
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"no NATS connection", `bucket name "a b"`, `appid "wx 1"`, "wx1 is named twice", `endpoint "code"`, "wx1 has no minter",
		"HTTP timeout 0s", "lease TTL 1.5s", "refresh ahead 1s", "refresh every -1ns", "no name of this publisher",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %s in\n%v", want, err)
		}
	}
	if _, err := publisher.New(publisher.Config{Names: names}); err == nil || !strings.Contains(err.Error(), "no account") {
		t.Errorf("without accounts: %v", err)
	}
}

func TestOverSocketsInRealTime(t *testing.T) {
	s := natstest.Start(t)
	w := newWorld(t, s, wxsim.Options{ExpiresIn: 2 * time.Second})
	w.login.URL = s.URL()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := w.config(wechat.PlainToken)
	stop := w.start(cfg)
	w.start(w.named("host-b/1", wechat.PlainToken))
	first := w.value(anyValue)
	second := w.value(not(first.ID))
	s.Restart(true)
	third := w.value(not(second.ID))
	w.must(w.bucket().Delete(ctx, wire.Key(appid, wire.KindAccessToken)))
	v := w.value(func(v wire.Value) bool { return v.Generation >= third.Generation })
	stop()
	v = w.value(not(v.ID))
	if counts := w.askAtOnce(100, names.RefreshSubject(), report(first)); counts["already_replaced"] != 100 {
		t.Errorf("outcomes %v", counts)
	}
	if v.Generation <= first.Generation {
		t.Errorf("generation %d after %d", v.Generation, first.Generation)
	}
	checkForSecrets(t, w.out.String(), w.sim)
}
