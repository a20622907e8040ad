package publisher

import (
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// A message on a refresh subject, from the subject to the reply. leader is what JetStream says of the key of an account that
// isn't held; outcome chooses what an ask that is accepted comes to.
func FuzzRefresh(f *testing.F) {
	report := []byte(`{"appid":"wx-one","id":"9f86d081884c7d65","errcode":42001,"client":"orders/pod-7"}`)
	missing := []byte(`{"error":{"code":404,"err_code":10037,"description":"no message found"}}`)
	for outcome := range byte(len(fuzzedAnswers)) {
		f.Add("", "_INBOX.a.1", report, missing, outcome)
	}
	f.Add("wx-two", "_INBOX.a.1", report, missing, byte(0))
	f.Add("wx-other", "_INBOX.a.1", []byte("{}"), []byte(`{"message":{"seq":3,"hdrs":"TkFUUy8xLjANCktWLU9wZXJhdGlvbjogREVMDQoNCg==","time":"2026-11-22T17:30:00Z"}}`), byte(0))
	f.Add("wx-other", "_INBOX.a.1", []byte{}, []byte(`{"message":{"seq":3,"data":"e30="}}`), byte(0))
	f.Add("", "$KV.wx_token.wx-one.access_token", []byte("x"), []byte("not JSON"), byte(0))
	f.Add("", "wx.token.refresh", []byte(`{"id":"`+strings.Repeat("84_token", 20)+`"}`), missing, byte(0))
	f.Add("a b", "", []byte(`[]`), missing, byte(0))
	w := newFuzzedResponder(f)
	f.Fuzz(func(t *testing.T, named, reply string, data, leader []byte, outcome byte) {
		if len(reply) > 500 || len(named) > 500 || reply != "" && !plainSubject.MatchString(reply) || strings.HasPrefix(reply, "_MUX") {
			return // no reply subject of a message that NATS delivers, or one of ours
		}
		w.leader <- leader
		defer func() { <-w.leader }()
		subject := w.cfg.Names.RefreshSubject()
		if named != "" {
			subject = w.cfg.Names.AccountRefreshSubject(named)
		}
		w.handle(fuzzedRequest{subject: subject, reply: reply, data: data})
		of := w.answerAsks(t, named, outcome)
		w.checkReplies(t, reply, of, data)
	})
}

var plainSubject = regexp.MustCompile(`^[^\x00-\x20\x7f.*>]+(\.[^\x00-\x20\x7f.*>]+)*$`)

// fuzzedAnswers are what may become of asks.
var fuzzedAnswers = []answer{
	{outcome: wire.Replaced, current: stored{Value: wire.Value{AppID: "wx-one", ID: "9f86d081884c7d65", Generation: 3, ExpiresAt: fuzzNoon}, revision: 7}},
	{outcome: wire.AlreadyReplaced, current: stored{Value: wire.Value{ExpiresAt: fuzzNoon}}},
	{err: &budgetSpentError{what: "forced refreshes", retryAt: fuzzNoon}},
	{err: &mintError{&wechat.Error{Op: wechat.OpMint, Code: 40164, Msg: "invalid ip"}}},
	{err: &mintError{&wechat.Error{Op: wechat.OpMint, Err: context.DeadlineExceeded}}},
	{err: context.DeadlineExceeded},
	{err: errStopping},
}

// fuzzedRequest is what micro makes of a message.
type fuzzedRequest struct {
	micro.Request  // nothing else is called
	subject, reply string
	data           []byte
}

func (r fuzzedRequest) Subject() string { return r.subject }
func (r fuzzedRequest) Reply() string   { return r.reply }
func (r fuzzedRequest) Data() []byte    { return r.data }

// fuzzedResponder hears all that it sends.
type fuzzedResponder struct {
	*responder
	leader chan []byte // what JetStream says, while it is asked
	heard  *nats.Subscription
}

func newFuzzedResponder(f *testing.F) *fuzzedResponder {
	s, err := server.NewServer(&server.Options{DontListen: true, NoLog: true, NoSigs: true})
	if err != nil {
		f.Fatal(err)
	}
	s.Start()
	f.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	conn, err := nats.Connect("", nats.InProcessServer(s), nats.CustomInboxPrefix("_MUX"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(conn.Close)
	p, err := New(fuzzedConfig(conn, slog.New(slog.DiscardHandler), "wx-one", "wx-two"))
	if err != nil {
		f.Fatal(err)
	}
	for _, a := range p.all() {
		a.serving = true // by the test
	}
	w := &fuzzedResponder{responder: &responder{Publisher: p, lookups: make(gate, lookupsAtOnce)}, leader: make(chan []byte, 1)}
	_, err = conn.Subscribe("$JS.API.STREAM.MSG.GET.*", func(msg *nats.Msg) {
		says := <-w.leader
		w.leader <- says
		_ = msg.Respond(says)
	})
	if err != nil {
		f.Fatal(err)
	}
	if w.heard, err = conn.SubscribeSync(">"); err != nil {
		f.Fatal(err)
	}
	return w
}

// answerAsks takes the place of the refresh path, and returns the account that was asked for, if one was.
func (w *fuzzedResponder) answerAsks(t *testing.T, named string, outcome byte) (of string) {
	t.Helper()
	for _, a := range w.all() {
		for _, k := range a.take() {
			if of != "" || named != "" && named != a.appid {
				t.Errorf("asked for %s and %s, named is %s", a.appid, of, named)
			}
			of = a.appid
			if (k.id == "") != (k.reason == wire.ReasonManual) || (k.id == "") == (k.reason == wire.ReasonReported) || len(k.client) > 64 {
				t.Errorf("ask %+v", k)
			}
			k.answer(fuzzedAnswers[int(outcome)%len(fuzzedAnswers)])
		}
	}
	return of
}

// patience is a bound that no good run comes near.
const patience = time.Minute

// checkReplies checks that there is one reply, where it was wished for unless that would do harm, and none elsewhere.
func (w *fuzzedResponder) checkReplies(t *testing.T, reply, of string, data []byte) {
	t.Helper()
	harmful := strings.HasPrefix(reply, "$") || strings.HasPrefix(reply, "wx.token.")
	missing := reply != "" && !harmful
	if err := w.cfg.Conn.Flush(); err != nil {
		t.Fatal(err)
	}
	for {
		if n, _, err := w.heard.Pending(); err != nil || n == 0 && !missing {
			return
		}
		msg, err := w.heard.NextMsg(patience)
		if err != nil {
			t.Fatalf("no reply: %v", err)
		}
		if strings.HasPrefix(msg.Subject, "_MUX.") || strings.HasPrefix(msg.Subject, "$JS.API.STREAM.MSG.GET.") {
			continue
		}
		if msg.Subject != reply || !missing {
			t.Fatalf("%q is sent to %q, wished for at %q", msg.Data, msg.Subject, reply)
		}
		missing = false
		checkReply(t, msg, of, data)
	}
}

// tokenLike is too long for an appid, an id or a client.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9_-]{65,}`)

func checkReply(t *testing.T, msg *nats.Msg, of string, data []byte) {
	t.Helper()
	code, text := msg.Header.Get(micro.ErrorCodeHeader), msg.Header.Get(micro.ErrorHeader)
	if tokenLike.MatchString(text) || tokenLike.Match(msg.Data) || len(text) > 600 {
		t.Errorf("%q is answered with %q, %q", data, text, msg.Data)
	}
	var answered wire.Reply
	var fault wire.Fault
	switch code {
	case "":
		if err := json.Unmarshal(msg.Data, &answered); err != nil || answered.AppID != of || answered.Outcome == "" || of == "" || text != "" {
			t.Errorf("%q for %s is answered with %q, %v", data, of, msg.Data, err)
		}
	case "400", "404":
		if of != "" || len(msg.Data) > 0 || text == "" {
			t.Errorf("%q for %s is answered with %s %q, %q", data, of, code, text, msg.Data)
		}
	case "429", "502", "503", "504":
		if err := json.Unmarshal(msg.Data, &fault); text == "" || len(msg.Data) > 0 && err != nil {
			t.Errorf("%q is answered with %s %q, %q", data, code, text, msg.Data)
		}
	default:
		t.Errorf("%q is answered with %s %q", data, code, text)
	}
}
