package publisher_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

func (w *world) bucket() jetstream.KeyValue {
	w.t.Helper()
	kv, err := w.js.KeyValue(w.t.Context(), names.Bucket)
	if err != nil {
		w.t.Fatal(err)
	}
	return kv
}

func (w *world) stream(name string) jetstream.Stream {
	w.t.Helper()
	s, err := w.js.Stream(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestAKeyThatIsLostComesBackWithoutAMint(t *testing.T) {
	key := wire.Key(appid, wire.KindAccessToken)
	foreign := func(change func(*wire.Value)) func(w *world, v wire.Value) {
		return func(w *world, v wire.Value) {
			change(&v)
			v.Generation += 1000
			v.Token = secret.New("84_foreign")
			w.put(v)
		}
	}
	for _, c := range []struct {
		name   string
		within time.Duration
		lose   func(w *world, v wire.Value)
	}{
		{"deleted", time.Second, func(w *world, _ wire.Value) { w.must(w.bucket().Delete(w.t.Context(), key)) }},
		{"purged", time.Second, func(w *world, _ wire.Value) { w.must(w.bucket().Purge(w.t.Context(), key)) }},
		{"stream purged", 16 * time.Second, func(w *world, _ wire.Value) { w.must(w.stream(names.Stream()).Purge(w.t.Context())) }},
		{"garbage", time.Second, func(w *world, _ wire.Value) { w.putBytes(key, []byte("\x00garbage")) }},
		{"empty", time.Second, func(w *world, _ wire.Value) { w.putBytes(key, nil) }},
		{"another account's value", time.Second, foreign(func(v *wire.Value) { v.AppID = otherAppID })},
		{"another kind", time.Second, foreign(func(v *wire.Value) { v.Kind = "jsapi_ticket" })},
		{"an older generation", time.Second, func(w *world, v wire.Value) {
			v.Generation--
			v.Token = secret.New("84_older")
			w.put(v)
		}},
		{"bucket deleted", 17 * time.Second, func(w *world, _ wire.Value) { w.must(w.js.DeleteKeyValue(w.t.Context(), names.Bucket)) }},
		{"both buckets deleted", 17 * time.Second, func(w *world, _ wire.Value) {
			w.must(w.js.DeleteKeyValue(w.t.Context(), names.Bucket))
			w.must(w.js.DeleteKeyValue(w.t.Context(), names.OpsBucket()))
		}},
		{"server with an empty store", 5 * time.Second, func(w *world, _ wire.Value) { w.nats.Restart(false) }},
		{"server restarted", 5 * time.Second, func(w *world, _ wire.Value) { w.nats.Restart(true) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
				w.start(w.config(wechat.PlainToken))
				v := w.value(anyValue)
				time.Sleep(10 * time.Minute)
				c.lose(w, v)
				now := w.readableWithin(c.within)
				if now.ID != v.ID || now.Generation < v.Generation || w.mints() != 1 || w.stats().SameToken != 0 {
					t.Errorf("%d mints, generation %d → %d", w.mints(), v.Generation, now.Generation)
				}
				if testing.Short() {
					return
				}
				time.Sleep(2 * time.Hour)
				if now, _ := w.stored(); now.Generation <= v.Generation || w.mints() != 2 {
					t.Errorf("later: %d mints, generation %d", w.mints(), now.Generation)
				}
			})
		})
	}
}

// readableWithin waits until the key holds the account's live token.
func (w *world) readableWithin(patience time.Duration) wire.Value {
	w.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if v, ok := w.stored(); ok && v.AppID == appid && v.Kind == wire.KindAccessToken && w.sim.CheckToken(v.Token.Reveal()) == 0 {
			return v
		}
	}
	w.t.Fatalf("the token wasn't back within %v\n%s", patience, w.out.Tail())
	return wire.Value{}
}

func TestAKeyThatIsLostWithADeadTokenIsMintedAnew(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.StableToken))
		v := w.value(anyValue)
		w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Drop})
		time.Sleep(3 * time.Hour)
		w.must(w.bucket().Delete(t.Context(), wire.Key(appid, wire.KindAccessToken)))
		w.sim.ClearFaults(wxsim.All)
		now := w.valueWithin(20*time.Second, anyValue)
		if now.Reason != wire.ReasonMissing || now.Generation <= v.Generation {
			t.Errorf("%+v", now)
		}
	})
}

// Two publishers that didn't know of each other's token (the bucket was lost between them, one clock was behind): the
// newer token, as its fence says, must not be hidden behind a generation that readers don't take.
func TestI2ANewerTokenUnderAnOlderGenerationIsLifted(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.PlainToken))
		v := w.value(anyValue)
		newer := v
		newer.Generation -= 500
		newer.Fence += 100
		newer.Token = secret.New("84_newer")
		w.put(newer)
		now := w.valueWithin(time.Second, func(now wire.Value) bool { return now.Generation > v.Generation })
		if now.Token.Reveal() != "84_newer" || w.mints() != 1 {
			t.Errorf("%+v", now)
		}
	})
}

func TestForgedUpdatesChangeNothing(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.PlainToken))
		v := w.value(anyValue)
		forged := v
		forged.Generation += 1000
		forged.Token = secret.New("84_forged")
		data, err := forged.Encode()
		w.must(err)
		key := wire.Key(appid, wire.KindAccessToken)
		for _, header := range []nats.Header{
			nil,
			{"KV-Operation": {"DEL"}},
			{"Nats-Stream": {names.Stream()}, "Nats-Subject": {names.KeySubject(key)}, "Nats-Sequence": {"9000"}},
			{"Nats-Stream": {names.Stream()}, "Nats-Subject": {names.KeySubject(key)}, "Nats-Sequence": {"9001"}, "KV-Operation": {"PURGE"}},
			{"Nats-Stream": {names.Stream()}, "Nats-Subject": {names.KeySubject("…")}, "Nats-Sequence": {"9002"}},
		} {
			w.must(w.nc.PublishMsg(&nats.Msg{Subject: names.UpdateSubject(key), Data: data, Header: header}))
		}
		time.Sleep(10 * time.Minute)
		if now, _ := w.stored(); now.Generation != v.Generation || w.mints() != 1 {
			t.Errorf("%d mints, now %+v", w.mints(), now)
		}
		if reply, _ := w.ask(names.RefreshSubject(), report(v)); reply.ID != v.ID {
			t.Errorf("%+v", reply)
		}
	})
}

func TestI9ATokenThatCouldNotBeStoredIsKept(t *testing.T) {
	for _, down := range []time.Duration{time.Second, 20 * time.Second, 30 * time.Minute} {
		t.Run(down.String(), func(t *testing.T) {
			onBothEndpoints(t, wxsim.Options{}, func(t *testing.T, w *world, endpoint wechat.Endpoint) {
				w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Delay, Delay: 3 * time.Second})
				w.start(w.config(endpoint))
				time.Sleep(2 * time.Second)
				w.nats.Stop()
				time.Sleep(down)
				w.nats.Resume()
				v := w.valueWithin(20*time.Second, anyValue)
				w.isNewest(v)
				time.Sleep(time.Minute)
				if w.mints() != 1 || w.stats().SameToken != 0 {
					t.Errorf("%d mints, %d more calls", w.mints(), w.stats().SameToken)
				}
				if got := w.out.Count(`"level":"WARN"`); got > 12 {
					t.Errorf("%d warnings\n%s", got, w.out.Tail())
				}
			})
		})
	}
}

func TestI9AStoreWhoseAckIsLostIsFoundDone(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		line := w.deafLine(names.KeySubject(wire.Key(appid, wire.KindAccessToken)) + " ")
		w.startOver(w.config(wechat.PlainToken), line)
		w.valueWithin(2*time.Second, anyValue)
		time.Sleep(time.Minute)
		v, _ := w.stored()
		w.isNewest(v)
		info, err := w.stream(names.Stream()).Info(t.Context())
		w.must(err)
		if w.mints() != 1 || info.State.Msgs != 1 || w.events(wire.EventMinted) != 1 {
			t.Errorf("%d mints, %d writes, %d events\n%s", w.mints(), info.State.Msgs, w.events(wire.EventMinted), w.out.Tail())
		}
	})
}

func TestALeaseWhoseAckIsLostIsFoundOurs(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		line := w.deafLine("$KV." + names.OpsBucket() + ".lease." + appid + " ")
		w.startOver(w.config(wechat.PlainToken), line)
		w.valueWithin(5*time.Second, anyValue)
		if w.mints() != 1 {
			t.Errorf("%d mints", w.mints())
		}
	})
}

// holdLease makes the lease that a publisher left which died at work.
func (w *world) holdLease(ttl time.Duration) {
	w.t.Helper()
	w.eventually(5*time.Second, func() bool { _, err := w.js.KeyValue(w.t.Context(), names.OpsBucket()); return err == nil })
	kv, err := w.js.KeyValue(w.t.Context(), names.OpsBucket())
	w.must(err)
	value, err := json.Marshal(map[string]string{"owner": "host-dead/1", "nonce": "theirs"})
	w.must(err)
	_, err = kv.Create(w.t.Context(), "lease."+appid, value, jetstream.KeyTTL(ttl))
	w.must(err)
}

func (w *world) eventually(patience time.Duration, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("it didn't happen within %v\n%s", patience, w.out.Tail())
		}
	}
}

func TestALeaseOfADeadPublisherIsTakenWhenItEnds(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		cfg := w.config(wechat.PlainToken)
		cfg.InitialDelay = 5 * time.Second
		w.start(cfg)
		w.holdLease(20 * time.Second)
		time.Sleep(19 * time.Second)
		if w.mints() != 0 {
			t.Error("minted without the lease")
		}
		w.valueWithin(2*time.Second, anyValue)
		if got := w.out.Count(`"level":"WARN"`); got != 0 {
			t.Errorf("%d warnings", got)
		}
	})
}

func TestALeaseIsRenewedForASecondCall(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		cfg := w.config(wechat.PlainToken)
		cfg.LeaseTTL = 6 * time.Second
		w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Hang, After: true, Count: 1})
		w.start(cfg)
		v := w.valueWithin(8*time.Second, anyValue)
		w.isNewest(v)
		if v.Fence < 2 {
			t.Errorf("fence %d is that of the first call", v.Fence)
		}
	})
}

func TestI1ALeaseThatIsLostEndsTheWork(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		cfg := w.config(wechat.PlainToken)
		cfg.LeaseTTL = 6 * time.Second
		w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Hang, Count: 1})
		w.start(cfg)
		time.Sleep(2 * time.Second)
		ops, err := w.js.KeyValue(t.Context(), names.OpsBucket())
		w.must(err)
		w.must(ops.Delete(t.Context(), "lease."+appid))
		w.holdLease(20 * time.Second)
		time.Sleep(15 * time.Second)
		if w.mints() != 0 || w.events(wire.EventLeaseLost) != 1 || w.events(wire.EventMintFailed) != 0 {
			t.Errorf("%d mints, %d and %d events\n%s", w.mints(), w.events(wire.EventLeaseLost), w.events(wire.EventMintFailed), w.out.Tail())
		}
		w.valueWithin(10*time.Second, anyValue)
	})
}

func TestI7NothingButTheKeyHoldsTheToken(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.StableToken))
		v := w.value(anyValue)
		w.ask(names.RefreshSubject(), report(v))
		time.Sleep(3 * time.Hour)
		v, _ = w.stored()
		if w.out.Has(v.Token.Reveal()) || !w.out.Has(v.ID) {
			t.Error("the transcript shows the token, or nothing of it")
		}
	})
}
