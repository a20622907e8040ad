package publisher_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/logtest"
	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/publisher"
)

const (
	appid     = "wx0123456789abcdef"
	appSecret = "0123456789abcdef0123456789abcdef"
)

var names = wire.DefaultNames()

// world is all that a publisher lives among: NATS, WeChat, and whoever listens.
type world struct {
	t     *testing.T
	nats  *natstest.Server
	login bus.Login
	sim   *wxsim.Server
	nc    *nats.Conn // of services and operators
	js    jetstream.JetStream
	out   *logtest.Output
	lag   time.Duration // for which a new token may not be stored yet; 0 where no answer is lost
}

// inBubble runs test in fake time.
func inBubble(t *testing.T, options wxsim.Options, test func(t *testing.T, w *world)) {
	t.Helper()
	natstest.Bubble(t, func(t *testing.T, s *natstest.Server) {
		w := newWorld(t, s, options)
		test(t, w)
		checkForSecrets(t, w.out.String(), w.sim)
	})
}

func newWorld(t *testing.T, s *natstest.Server, options wxsim.Options) *world {
	t.Helper()
	if options.Accounts == nil {
		options.Accounts = []wxsim.Account{{AppID: appid, Secret: appSecret}}
	}
	sim, err := wxsim.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	w := &world{t: t, nats: s, sim: sim, out: &logtest.Output{}}
	w.nc = s.Connect(nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if w.js, err = jetstream.New(w.nc); err != nil {
		t.Fatal(err)
	}
	w.listen()
	return w
}

// listen writes every message into the transcript that a publisher sent or got, but the values themselves and requests.
func (w *world) listen() {
	for _, subject := range []string{names.Prefix + ".event.>", "_INBOX.>", "$KV." + names.OpsBucket() + ".>"} {
		if _, err := w.nc.Subscribe(subject, func(m *nats.Msg) {
			if m.Header.Get("Nats-Stream") != "" || strings.Contains(string(m.Data), `"type":"io.nats.jetstream`) {
				return // a value, on its way to its reader
			}
			fmt.Fprintf(w.out, "%s %v %s\n", m.Subject, m.Header, m.Data)
		}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// config is a publisher's, with the defaults of the command and one account.
func (w *world) config(endpoint wechat.Endpoint) publisher.Config {
	return publisher.Config{
		Accounts:           []publisher.Account{w.account(appid, appSecret, endpoint, w.sim.Transport())},
		Names:              names,
		RefreshAhead:       5 * time.Minute,
		MinRefreshInterval: 30 * time.Second,
		VerifyReports:      true,
		HTTPTimeout:        5 * time.Second,
		LeaseTTL:           15 * time.Second,
		Publisher:          "host-a/1",
		Version:            "0.0.0",
		Logger:             slog.New(slog.NewJSONHandler(w.out, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// named is config for one of several publishers.
func (w *world) named(name string, endpoint wechat.Endpoint) publisher.Config {
	cfg := w.config(endpoint)
	cfg.Publisher = name
	return cfg
}

var bothEndpoints = []wechat.Endpoint{wechat.StableToken, wechat.PlainToken}

func channelOf(endpoint wechat.Endpoint) wxsim.Channel { return wxsim.Channel(endpoint) }

// onBothEndpoints runs test in a bubble for each endpoint.
func onBothEndpoints(t *testing.T, options wxsim.Options, test func(t *testing.T, w *world, endpoint wechat.Endpoint)) {
	for _, endpoint := range bothEndpoints {
		t.Run(string(endpoint), func(t *testing.T) {
			inBubble(t, options, func(t *testing.T, w *world) { test(t, w, endpoint) })
		})
	}
}

func (w *world) account(appid, appSecret string, endpoint wechat.Endpoint, transport http.RoundTripper) publisher.Account {
	client, err := wechat.NewClient(wechat.Config{
		Bases: []string{"https://api.weixin.qq.com", "https://api2.weixin.qq.com"}, Timeout: 5 * time.Second, Transport: transport,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return publisher.Account{AppID: appid, Endpoint: endpoint, Minter: client.Account(appid, secret.New(appSecret), endpoint)}
}

// start runs a publisher until stop is called, or the test ends.
func (w *world) start(cfg publisher.Config) (stop func()) {
	w.t.Helper()
	return w.startOver(cfg, w.nats.Reach()...)
}

// startOver is start with options for the publisher's connection.
func (w *world) startOver(cfg publisher.Config, options ...nats.Option) (stop func()) {
	w.t.Helper()
	return w.run(w.make(cfg, options...))
}

// startWithClock is start on a machine whose clock is ahead by off.
func (w *world) startWithClock(cfg publisher.Config, off time.Duration) (stop func()) {
	w.t.Helper()
	p, nc := w.make(cfg, w.nats.Reach()...)
	p.SetClockOff(off)
	return w.run(p, nc)
}

func (w *world) make(cfg publisher.Config, options ...nats.Option) (*publisher.Publisher, *nats.Conn) {
	w.t.Helper()
	nc, err := bus.Connect(w.login, "publisher", cfg.Logger, options...)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg.Conn = nc
	p, err := publisher.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return p, nc
}

// run runs p, and closes its connection after that.
func (w *world) run(p *publisher.Publisher, nc *nats.Conn) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
		nc.Close()
	})
	w.t.Cleanup(stop)
	return stop
}

// value waits until the key holds a token for which ok holds.
func (w *world) value(ok func(wire.Value) bool) wire.Value {
	w.t.Helper()
	return w.valueWithin(10*time.Minute, ok)
}

func (w *world) valueWithin(patience time.Duration, ok func(wire.Value) bool) wire.Value {
	w.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(max(20*time.Millisecond, patience/500)) {
		if v, found := w.stored(); found && ok(v) {
			return v
		}
	}
	w.t.Fatalf("the key didn't get there within %v\n%s", patience, w.out.Tail())
	return wire.Value{}
}

func anyValue(wire.Value) bool            { return true }
func not(id string) func(wire.Value) bool { return func(v wire.Value) bool { return v.ID != id } }

// watchForGaps looks at the key every so often until stop is called: at no moment may it hold no token, one that WeChat
// refuses, one that isn't the newest, or an older generation than before.
func (w *world) watchForGaps(every time.Duration) (stop func()) {
	w.t.Helper()
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var last wire.Value
		tick := time.NewTicker(every + 1234567*time.Nanosecond) // off the beat of the schedule
		defer tick.Stop()
		for problems := 0; problems < 5; {
			select {
			case <-tick.C:
			case <-ended:
				return
			}
			v, found := w.stored()
			problem := ""
			switch mints := w.sim.Ledger(appid); {
			case !found:
				problem = "no token"
			case w.sim.CheckToken(v.Token.Reveal()) != 0:
				problem = fmt.Sprintf("a token that WeChat refuses with %d", w.sim.CheckToken(v.Token.Reveal()))
			case v.ID != mints[len(mints)-1].ID && time.Since(mints[len(mints)-1].At) > w.lag:
				problem = "not the newest token"
			case v.Generation < last.Generation, v.ID != last.ID && v.Generation == last.Generation:
				problem = fmt.Sprintf("generation %d after %d", v.Generation, last.Generation)
			}
			if problem != "" {
				problems++
				w.t.Errorf("%v: the key holds %s: %+v", time.Now(), problem, v)
			}
			last = v
		}
	}()
	return sync.OnceFunc(func() {
		close(ended)
		<-done
	})
}

// stored reads the key as a service would. found is false for what is no value.
func (w *world) stored() (v wire.Value, found bool) {
	msg, err := w.nc.Request("$JS.API.DIRECT.GET."+names.Stream()+"."+names.KeySubject(wire.Key(appid, wire.KindAccessToken)), nil, 200*time.Millisecond)
	if err != nil || msg.Header.Get("Status") != "" {
		return wire.Value{}, false
	}
	v, err = wire.DecodeValue(msg.Data)
	return v, err == nil
}

// ask sends a refresh request and returns its reply, or the error that its headers tell.
func (w *world) ask(subject, payload string) (wire.Reply, *fault) {
	w.t.Helper()
	msg, err := w.nc.Request(subject, []byte(payload), time.Minute)
	if err != nil {
		w.t.Errorf("request on %s: %v\n%s", subject, err, w.out.Tail())
		return wire.Reply{}, &fault{code: "none"}
	}
	if code := msg.Header.Get("Nats-Service-Error-Code"); code != "" {
		f := &fault{code: code, text: msg.Header.Get("Nats-Service-Error")}
		if len(msg.Data) > 0 {
			if err := json.Unmarshal(msg.Data, &f.Fault); err != nil {
				w.t.Errorf("body of error reply %s: %v", code, err)
			}
		}
		return wire.Reply{}, f
	}
	var reply wire.Reply
	if err := json.Unmarshal(msg.Data, &reply); err != nil {
		w.t.Errorf("reply: %v", err)
	}
	return reply, nil
}

type fault struct {
	wire.Fault
	code, text string
}

func report(v wire.Value) string {
	return fmt.Sprintf(`{"appid":%q,"id":%q,"errcode":42001,"client":"orders/pod-7"}`, v.AppID, v.ID)
}

// mints counts tokens that WeChat made for us.
func (w *world) mints() int64 {
	w.t.Helper()
	s := w.stats()
	return s.Mints.Total() - s.Mints.Foreign
}

// events counts those of the account; logged counts log lines.
func (w *world) events(what string) int {
	return w.out.Count(names.EventSubject(appid, what) + " ")
}

func (w *world) logged(msg string) int { return w.out.Count(`"msg":"` + msg + `"`) }

func (w *world) warned(msg string) int {
	return w.out.Count(`"level":"WARN","msg":"`+msg+`"`) + w.out.Count(`"level":"ERROR","msg":"`+msg+`"`)
}

func (w *world) stats() wxsim.Stats {
	w.t.Helper()
	s, err := w.sim.Stats(appid)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) fault(f wxsim.Fault) {
	w.t.Helper()
	if _, err := w.sim.AddFault(f); err != nil {
		w.t.Fatal(err)
	}
}

// checkForSecrets looks for the AppSecret and for every token that WeChat accepts or ever made (they all begin alike
// and have 136 characters).
func checkForSecrets(t *testing.T, text string, sim *wxsim.Server) {
	t.Helper()
	if strings.Contains(text, appSecret) {
		t.Error("the AppSecret was logged or sent")
	}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !strings.ContainsRune(tokenRunes, r) }) {
		if len(word) >= 100 {
			t.Errorf("what looks like a token was logged or sent: %.12s…", word)
		}
	}
	for _, ch := range []wxsim.Channel{wxsim.ChannelToken, wxsim.ChannelStable} {
		info, err := sim.Token(appid, ch)
		if err != nil {
			t.Fatal(err)
		}
		if s := info.Token.Reveal(); s != "" && strings.Contains(text, s[8:40]) {
			t.Errorf("a part of the %s token was logged or sent", ch)
		}
	}
}

const tokenRunes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// put stores a value as another publisher would, or an operator by hand.
func (w *world) put(v wire.Value) {
	w.t.Helper()
	w.putAs(wire.Key(appid, wire.KindAccessToken), v)
}

func (w *world) putAs(key string, v wire.Value) {
	w.t.Helper()
	data, err := v.Encode()
	w.must(err)
	w.putBytes(key, data)
}

func (w *world) putBytes(key string, data []byte) {
	w.t.Helper()
	_, err := w.bucket().Put(w.t.Context(), key, data)
	w.must(err)
}
