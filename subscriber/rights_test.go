package subscriber

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// The least rights of a service, as the README names them.
const (
	rightInfo    = "$JS.API.STREAM.INFO.KV_wx_token"
	rightGet     = "$JS.API.DIRECT.GET.KV_wx_token.$KV.wx_token." + appid + ".>"
	rightRefresh = "wx.token.refresh." + appid
	rightUpdate  = "wx.token.update." + appid + ".>"
	rightInbox   = "_INBOX.>"
)

// What a source uses of them.
const (
	usesGet    = "$JS.API.DIRECT.GET.KV_wx_token.$KV.wx_token." + appid + ".access_token"
	usesUpdate = "wx.token.update." + appid + ".access_token"
)

// guarded starts a real server on which the user service has all rights but those of without, and connects a service.
func guarded(t *testing.T, without ...string) (*world, *nats.Conn) {
	t.Helper()
	leaveFakeTime()
	keep := func(rights ...string) []string {
		return slices.DeleteFunc(rights, func(right string) bool { return slices.Contains(without, right) })
	}
	rights := &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: append(keep(rightInfo, rightGet, rightRefresh), "none")},
		Subscribe: &server.SubjectPermission{Allow: append(keep(rightUpdate, rightInbox), "none")},
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(),
		NoLog: true, NoSigs: true, Users: []*server.User{
			{Username: "publisher", Password: "p"},
			{Username: "service", Password: "s", Permissions: rights},
		}})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server doesn't get ready")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	connect := func(user, password string) *nats.Conn {
		nc, err := nats.Connect(s.ClientURL(), append(NATSOptions(), nats.UserInfo(user, password),
			nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...) // else each violation is printed
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	w := &world{t: t, nc: connect("publisher", "p")}
	if w.js, err = jetstream.New(w.nc); err != nil {
		t.Fatal(err)
	}
	w.makeBucket()
	w.mint(time.Hour)
	return w, connect("service", "s")
}

func TestLeastRightsSuffice(t *testing.T) {
	w, nc := guarded(t)
	src := w.open(nc)
	defer src.Close()
	r := w.respond(func(request wire.Request, req micro.Request) {
		w.mint(time.Hour)
		w.reply(req, wire.Replaced)
	})
	defer r.stop()
	if tok, err := src.Refresh(t.Context(), want(t, src, 1, nil)); err != nil || tok.Generation != 2 {
		t.Errorf("Refresh = %v, %v", tok, err)
	}
	if err := nc.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	w.mint(time.Hour)
	awaitGeneration(t, src, 3)
	eventually(t, "all is well", func() bool { return src.Err() == nil })
	if err := nc.LastError(); err != nil {
		t.Errorf("the connection's last error: %v", err)
	}
}

func awaitGeneration(t *testing.T, src *Source, generation uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for tok := range src.Updates(ctx) {
		if tok.Generation >= generation {
			return
		}
	}
	t.Fatalf("generation %d did not come; Err: %v", generation, src.Err())
}

func TestOpenNamesMissingRights(t *testing.T) {
	cases := []struct {
		without []string
		op      string
		subject string
	}{
		{[]string{rightGet}, "publish", usesGet},
		{[]string{rightUpdate}, "subscribe", usesUpdate},
		{[]string{rightInbox}, "subscribe", rightInbox},
		{[]string{rightGet, rightUpdate}, "subscribe", usesUpdate},
		{[]string{rightGet, rightUpdate}, "publish", usesGet},
	}
	for _, c := range cases {
		_, nc := guarded(t, c.without...)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		began := time.Now()
		src, err := Open(ctx, nc, appid)
		cancel()
		if src != nil || !namesRight(err, c.op, c.subject) {
			t.Errorf("without %v: Open = %v, %v", c.without, src, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("without %v: it took Open %v to say so", c.without, took)
		}
	}
}

// namesRight tells whether err has a RightsError of that kind anywhere.
func namesRight(err error, op, subject string) bool {
	if denied, ok := err.(*RightsError); ok {
		return denied.Op == op && denied.Subject == subject
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return namesRight(e.Unwrap(), op, subject)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), func(err error) bool { return namesRight(err, op, subject) })
	}
	return false
}

func TestWithoutTheServersTimeASourceWorks(t *testing.T) {
	w, nc := guarded(t, rightInfo)
	src := w.open(nc)
	defer src.Close()
	tok := want(t, src, 1, nil)
	if off := tok.ExpiresAt.Sub(w.current().ExpiresAt).Abs(); off > time.Second {
		t.Errorf("ExpiresAt is off by %v", off)
	}
	if err := src.Err(); !namesRight(err, "publish", rightInfo) {
		t.Errorf("Err() = %v", err)
	}
}

func TestMissingRightToRefresh(t *testing.T) {
	w, nc := guarded(t, rightRefresh)
	src := w.open(nc)
	defer src.Close()
	if err := src.Err(); err != nil {
		t.Errorf("Err() before any request = %v", err)
	}
	if _, err := src.Refresh(t.Context(), want(t, src, 1, nil)); !namesRight(err, "publish", rightRefresh) {
		t.Errorf("Refresh: %v", err)
	}
	if err := src.Err(); !namesRight(err, "publish", rightRefresh) {
		t.Errorf("Err() = %v", err)
	}
	l := link{nc}
	if !l.denied(nil, rightRefresh) || l.denied(nc.LastError(), rightRefresh) {
		t.Error("an old violation counts as a new one")
	}
}

// Other parts of the service violate rights all the time, on the same connection.
func TestRightsAreNamedAmidOtherViolations(t *testing.T) {
	_, nc := guarded(t, rightGet)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				_ = nc.Publish("some.thing.else", nil)
			}
		}
	}()
	defer func() { close(stop); <-done }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := Open(ctx, nc, appid); !namesRight(err, "publish", usesGet) {
		t.Errorf("Open: %v", err)
	}
}

func TestErrorHandlerIsLeftAlone(t *testing.T) {
	w, nc := guarded(t)
	called := make(chan error, 1)
	nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { called <- err })
	src := w.open(nc)
	defer src.Close()
	if err := nc.Publish("not.allowed", nil); err != nil {
		t.Fatal(err)
	}
	if err := <-called; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("the caller's handler got %v", err)
	}
	if err := src.Err(); err != nil {
		t.Errorf("Err() after another's violation = %v", err)
	}
}
