package publisher_test

import (
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

func TestHistoryTellsOfTheLastMints(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		p, nc := w.make(w.config(wechat.StableToken), w.nats.Reach()...)
		w.run(p, nc)
		first := w.value(anyValue)
		ids := []string{first.ID}
		for range 5 {
			time.Sleep(time.Minute)
			reply, fault := w.ask("wx.token.refresh", "")
			if fault != nil || reply.Outcome != wire.Replaced {
				t.Fatalf("%+v, %+v", reply, fault)
			}
			ids = append([]string{reply.ID}, ids...)
		}
		history, err := p.History(t.Context(), appid)
		if err != nil || len(history) != 5 {
			t.Fatalf("%+v, %v", history, err)
		}
		for i, m := range history {
			if m.ID != ids[i] || m.Reason != wire.ReasonManual || m.By != "host-a/1" || m.Revision == 0 || !m.ExpiresAt.After(m.At) {
				t.Errorf("mint %d: %+v, want id %s", i, m, ids[i])
			}
			if i > 0 && history[i-1].Generation <= m.Generation {
				t.Errorf("generation %d follows %d", history[i-1].Generation, m.Generation)
			}
		}
		w.putBytes(wire.Key(appid, wire.KindAccessToken), []byte("no token"))
		if history, err := p.History(t.Context(), appid); err != nil || len(history) != 4 || history[0].ID != ids[0] {
			t.Errorf("after a value that is none: %+v, %v", history, err)
		}
	})
}

func TestHistoryOfNothing(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		p, nc := w.make(w.config(wechat.StableToken), w.nats.Reach()...)
		if _, err := p.History(t.Context(), appid); err == nil {
			t.Error("no bucket and no error")
		}
		w.run(p, nc)
		w.value(anyValue)
		if history, err := p.History(t.Context(), "wx404"); err != nil || len(history) != 0 {
			t.Errorf("no key: %+v, %v", history, err)
		}
		if _, err := p.History(t.Context(), "*.>"); err == nil {
			t.Error("a pattern was taken for an appid")
		}
		w.nats.Stop()
		began := time.Now()
		if _, err := p.History(t.Context(), appid); err == nil || time.Since(began) > 5*time.Second {
			t.Errorf("without NATS: %v after %v", err, time.Since(began))
		}
		w.nats.Resume()
	})
}
