package deploy

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/subscriber"
)

// Rights on subjects were not enough: a service asked for the stream's info, which it may, and named another account's key
// as the subject of the reply. JetStream, which may do everything, wrote there. A lease's key made minting stop for good,
// and a publisher's empty error reply on $JS.API.STREAM.DELETE.KV_wx_token would have removed the bucket.
func TestRepliesLeadNowhereElse(t *testing.T) {
	w := newWorld(t)
	many := connect(t, w.server, "services")
	victim := w.open(many, otherAppID)
	token, err := victim.Token()
	if err != nil {
		t.Fatal(err)
	}
	before := w.written()
	strangers := w.listen("wx.token.update.>", "wx.token.event.*.minted")

	for _, user := range []string{"service", "services", "agent"} {
		nc := connect(t, w.server, user)
		for _, target := range targets {
			for subject, payload := range requests {
				if err := nc.PublishRequest(subject, target, []byte(payload)); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.awaitAnswers(nc)
		if err := nc.LastError(); err != nil {
			t.Errorf("%s: %v: the test is about what is allowed", user, err)
		}
	}

	if after := w.written(); after != before {
		t.Errorf("streams were written: %s, before %s", after, before)
	}
	if now, err := victim.Token(); err != nil || now.ID != token.ID {
		t.Errorf("another account's token is %v, %v", now, err)
	}
	if n := len(strangers); n > 0 {
		t.Errorf("%d messages came out, the first on %s", n, (<-strangers).Subject)
	}
}

// requests are what user service may ask, with payloads that are answered.
var requests = map[string]string{
	"$JS.API.STREAM.INFO.KV_wx_token":                                                 "",
	"$JS.API.DIRECT.GET.KV_wx_token.$KV.wx_token." + ownAppID + ".access_token":       "",
	"$JS.API.DIRECT.GET.KV_wx_token.$KV.wx_token." + ownAppID + ".no_such_credential": "",
	"wx.token.refresh." + ownAppID:                                                    "garbage",
}

// targets are subjects for replies that would do harm in the publishers' account.
var targets = []string{
	"$KV.wx_token." + ownAppID + ".access_token",
	"$KV.wx_token." + otherAppID + ".access_token",
	"$KV.wx_token_ops.lease." + otherAppID,
	"$JS.API.STREAM.DELETE.KV_wx_token",
	"$JS.API.STREAM.PURGE.KV_wx_token",
	"wx.token.update." + otherAppID + ".access_token",
	"wx.token.event." + otherAppID + ".minted",
	"wx.token.refresh." + otherAppID,
}

func (w *world) open(nc *nats.Conn, appid string) *subscriber.Source {
	w.t.Helper()
	src, err := subscriber.Open(w.deadline(), nc, appid)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(src.Close)
	return src
}

// written tells of every write to the tokens, and of a stream made anew. A lease that isn't one would be waited for in vain.
func (w *world) written() string {
	w.t.Helper()
	js, err := jetstream.New(w.conn)
	if err != nil {
		w.t.Fatal(err)
	}
	await(w.t, "no lease", func() bool { return !w.leased(js, ownAppID) && !w.leased(js, otherAppID) })
	tokens, ops := w.info(js, "KV_wx_token"), w.info(js, "KV_wx_token_ops")
	return fmt.Sprintf("tokens of %v up to %d, leases of %v", tokens.Created, tokens.State.LastSeq, ops.Created)
}

func (w *world) info(js jetstream.JetStream, stream string) *jetstream.StreamInfo {
	w.t.Helper()
	s, err := js.Stream(w.deadline(), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.CachedInfo()
}

func (w *world) leased(js jetstream.JetStream, appid string) bool {
	w.t.Helper()
	entry, err := bus.OpenKV(w.conn, js, wire.DefaultNames().OpsBucket()).Latest(w.deadline(), "lease."+appid)
	if err != nil {
		w.t.Fatal(err)
	}
	return entry.Exists
}

// listen gathers what comes on subjects in the publishers' account.
func (w *world) listen(subjects ...string) <-chan *nats.Msg {
	w.t.Helper()
	messages := make(chan *nats.Msg, 1000)
	nc := connect(w.t, w.server, "operator")
	for _, subject := range subjects {
		if _, err := nc.ChanSubscribe(subject, messages); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		w.t.Fatal(err)
	}
	return messages
}

// awaitAnswers returns when requests that the connection sent before were answered: each kind is answered in turn.
func (w *world) awaitAnswers(nc *nats.Conn) {
	w.t.Helper()
	for subject, payload := range requests {
		if _, err := nc.Request(subject, []byte(payload), patience); err != nil {
			w.t.Fatalf("%s: %v", subject, err)
		}
	}
}
