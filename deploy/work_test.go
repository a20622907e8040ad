package deploy

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/subscriber"
)

func TestRightsSufficeForTheWork(t *testing.T) {
	w := newWorld(t)
	events := make(chan *nats.Msg, 100)
	auditor := connect(t, w.server, "auditor")
	if _, err := auditor.ChanSubscribe("wx.token.event.>", events); err != nil {
		t.Fatal(err)
	}
	if err := auditor.Flush(); err != nil {
		t.Fatal(err)
	}
	for user, appid := range map[string]string{"service": ownAppID, "services": otherAppID, "agent": otherAppID} {
		nc := connect(t, w.server, user)
		w.heals(nc, appid)
		if err := nc.LastError(); err != nil {
			t.Errorf("%s: %v", user, err)
		}
	}
	await(t, "events of all that", func() bool { return len(events) >= 2*3 }) // reports and mints
	for what, nc := range map[string]*nats.Conn{"publisher": w.conn, "auditor": auditor} {
		if err := nc.LastError(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// heals lets WeChat end the account's token: the source reports that, and gets the new one by its subscription.
func (w *world) heals(nc *nats.Conn, appid string) {
	w.t.Helper()
	src := w.open(nc, appid)
	old, err := src.Token()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.sim.Revoke(appid, wxsim.ChannelToken, false); err != nil {
		w.t.Fatal(err)
	}
	tok, err := src.Refresh(w.t.Context(), old)
	if err != nil || tok.Generation <= old.Generation || tok.ID != w.value(appid).ID {
		w.t.Errorf("Refresh = %v, %v after %v", tok, err, old)
	}
	if err := src.Err(); err != nil {
		w.t.Errorf("the source says %v", err)
	}
}

// Two accounts lie between a service and the publishers; that nobody answers must still be known at once.
func TestNoPublisherIsToldAtOnce(t *testing.T) {
	w := newWorld(t)
	src := w.open(connect(t, w.server, "service"), ownAppID)
	tok, err := src.Token()
	if err != nil {
		t.Fatal(err)
	}
	w.conn.Close()
	began := time.Now()
	if _, err := src.Refresh(t.Context(), tok); !errors.Is(err, subscriber.ErrNoPublisher) {
		t.Errorf("Refresh after %v: %v", time.Since(began), err)
	}
}

func TestAServiceIsToldWhichAccountIsNotItsOwn(t *testing.T) {
	w := newWorld(t)
	var denied *subscriber.RightsError
	if _, err := subscriber.Open(t.Context(), connect(t, w.server, "service"), otherAppID); !errors.As(err, &denied) {
		t.Errorf("Open of another's account: %v", err)
	}
}
