package subscriber

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wire"
)

const appid = "wx0123456789abcdef"

// world is a NATS server with what publishers bring: a bucket with tokens, and an answer to refresh requests.
type world struct {
	t      *testing.T
	server *natstest.Server
	nc     *nats.Conn // the publishers'
	js     jetstream.JetStream

	mu   sync.Mutex
	last wire.Value // the newest token; read it with current

	background sync.WaitGroup
}

func (w *world) current() wire.Value {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// inBubble runs test in fake time, with an empty bucket.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	natstest.Bubble(t, func(t *testing.T, s *natstest.Server) {
		w := newWorld(t, s)
		defer w.nc.Close()
		defer w.background.Wait()
		w.makeBucket()
		test(t, w)
	})
}

// leaveFakeTime drops the timers that nats.go pooled in a bubble, before a test in real time: it would die of them.
func leaveFakeTime() {
	runtime.GC()
	runtime.GC()
}

func newWorld(t *testing.T, s *natstest.Server, options ...nats.Option) *world {
	t.Helper()
	nc := s.Connect(append(NATSOptions(), options...)...)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, server: s, nc: nc, js: js}
}

func bucketConfig() jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{Bucket: "wx_token", History: 5, Storage: jetstream.FileStorage,
		RePublish: &jetstream.RePublish{Source: "$KV.wx_token.>", Destination: "wx.token.update.>"}}
}

func (w *world) makeBucket() {
	w.t.Helper()
	if _, err := w.js.CreateKeyValue(w.t.Context(), bucketConfig()); err != nil {
		w.t.Fatalf("make the bucket: %v", err)
	}
}

func (w *world) kv() jetstream.KeyValue {
	w.t.Helper()
	kv, err := w.js.KeyValue(w.t.Context(), "wx_token")
	if err != nil {
		w.t.Fatal(err)
	}
	return kv
}

// connect opens a service's connection. Bubbles want it closed within them.
func (w *world) connect(options ...nats.Option) *nats.Conn {
	w.t.Helper()
	return w.server.Connect(append(NATSOptions(), options...)...)
}

// token is a value of that generation, minted now.
func token(generation uint64, life time.Duration) wire.Value {
	text := fmt.Sprintf("84_token-%d", generation)
	now := time.Now()
	return wire.Value{AppID: appid, Kind: wire.KindAccessToken, Token: secret.New(text), ID: wire.TokenID(text),
		ExpiresIn: life, MintedAt: now, ExpiresAt: now.Add(life), Reason: wire.ReasonScheduled, Generation: generation}
}

// mint stores a token one generation after the last.
func (w *world) mint(life time.Duration) wire.Value {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = token(w.last.Generation+1, life)
	w.put(w.last)
	return w.last
}

// mintUnheard stores a token of which no update tells.
func (w *world) mintUnheard(life time.Duration) {
	w.t.Helper()
	w.unheard(func() { w.mint(life) })
}

// unheard runs store while the bucket sends no updates.
func (w *world) unheard(store func()) {
	w.t.Helper()
	mute := bucketConfig()
	mute.RePublish = nil
	if _, err := w.js.UpdateKeyValue(w.t.Context(), mute); err != nil {
		w.t.Fatal(err)
	}
	store()
	if _, err := w.js.UpdateKeyValue(w.t.Context(), bucketConfig()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) put(v wire.Value) {
	w.t.Helper()
	data, err := v.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	w.putRaw(data)
}

func (w *world) putRaw(data []byte) {
	w.t.Helper()
	if _, err := w.kv().Put(w.t.Context(), appid+".access_token", data); err != nil {
		w.t.Fatalf("put: %v", err)
	}
}

// open opens a source over nc and closes it when the test ends.
func (w *world) open(nc *nats.Conn, opts ...Option) *Source {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	src, err := Open(ctx, nc, appid, opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	return src
}

// responder answers refresh requests as a publisher does, and counts them.
type responder struct {
	requests atomic.Int64
	last     atomic.Pointer[wire.Request]
	service  micro.Service
	answers  sync.WaitGroup
}

// stop returns when the last answer is given.
func (r *responder) stop() {
	_ = r.service.Stop()
	r.answers.Wait()
}

func (w *world) respond(answer func(wire.Request, micro.Request)) *responder {
	w.t.Helper()
	r := &responder{}
	service, err := micro.AddService(w.nc, micro.Config{Name: wire.ServiceName, Version: "0.0.1"})
	if err != nil {
		w.t.Fatal(err)
	}
	r.service = service
	handler := func(req micro.Request) {
		request, err := wire.DecodeRequest(req.Data())
		if err != nil {
			_ = req.Error("400", err.Error(), nil)
			return
		}
		r.requests.Add(1)
		r.last.Store(&request)
		r.answers.Go(func() { answer(request, req) })
	}
	if err := service.AddEndpoint("refresh", micro.HandlerFunc(handler), micro.WithEndpointSubject("wx.token.refresh.*")); err != nil {
		w.t.Fatal(err)
	}
	if err := w.nc.Flush(); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// reply answers with the outcome and what is current.
func (w *world) reply(req micro.Request, outcome wire.Outcome) {
	now := w.current()
	w.answer(req, nil, wire.Reply{AppID: appid, ID: now.ID, Generation: now.Generation, ExpiresAt: now.ExpiresAt, Outcome: outcome})
}

// fault answers with an error.
func (w *world) fault(req micro.Request, code int, body wire.Fault) {
	w.answer(req, nats.Header{micro.ErrorCodeHeader: {fmt.Sprint(code)}, micro.ErrorHeader: {"no luck"}}, body)
}

// answer does by hand what micro's Respond and Error do, because those race with micro itself when they are called from
// another goroutine than the handler's.
func (w *world) answer(req micro.Request, header nats.Header, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		w.t.Error(err)
	}
	_ = w.nc.PublishMsg(&nats.Msg{Subject: req.Reply(), Header: header, Data: data})
}

// meanwhile runs f beside the test, which doesn't end before it.
func (w *world) meanwhile(f func()) { w.background.Go(f) }

// want checks what Token gives: the generation, and the error.
func want(t *testing.T, src *Source, generation uint64, wantErr error) Token {
	t.Helper()
	tok, err := src.Token()
	if tok.Generation != generation || err != wantErr {
		t.Fatalf("Token() = generation %d, %v; want %d, %v (Err: %v)", tok.Generation, err, generation, wantErr, src.Err())
	}
	if err == nil && tok.AccessToken() != fmt.Sprintf("84_token-%d", generation) {
		t.Fatalf("generation %d has another's token", generation)
	}
	return tok
}

// settle waits until the bubble has nothing left to do but wait.
func settle() {
	time.Sleep(50 * time.Millisecond)
	synctest.Wait()
}

// noTokenIn fails if text shows any token of these tests.
func noTokenIn(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, "84_token") || strings.Contains(text, fmt.Sprintf("%x", "84_token")) {
		t.Errorf("a token is shown: %s", text)
	}
}
