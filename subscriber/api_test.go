package subscriber

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/tokenquery"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

const apiURL = "https://api.weixin.qq.com"

// apiWorld is a world with a simulated WeChat: publishers mint there, and a service's client calls it.
type apiWorld struct {
	*world
	sim    *wxsim.Server
	src    *Source
	asked  *responder // the publishers
	wire   *tap       // between Transport and WeChat
	client *http.Client

	minting sync.Mutex
}

// withAPI runs test in fake time, with a first token in hand.
func withAPI(t *testing.T, test func(t *testing.T, a *apiWorld)) {
	t.Helper()
	inBubble(t, func(t *testing.T, w *world) {
		sim, err := wxsim.New(wxsim.Options{Accounts: []wxsim.Account{{AppID: appid, Secret: "secret"}}, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		a := &apiWorld{world: w, sim: sim, wire: &tap{base: sim.Transport()}}
		a.mint()
		nc := w.connect()
		defer nc.Close()
		a.src = w.open(nc)
		defer a.src.Close()
		a.asked = w.respond(a.answer)
		defer func() { a.asked.stop() }()
		a.client = &http.Client{Transport: a.src.Transport(a.wire)}
		test(t, a)
	})
}

// mint makes WeChat replace the token, and stores the new one, as a rotation does.
func (a *apiWorld) mint() {
	a.t.Helper()
	a.mintBecause(wire.ReasonScheduled)
}

func (a *apiWorld) mintBecause(reason wire.Reason) {
	a.t.Helper()
	a.store(a.fetch(), reason)
}

// minted is what WeChat gives.
type minted struct {
	Token     string `json:"access_token"`
	ExpiresIn int64  `json:"expires_in"`
}

// fetch makes WeChat replace the token.
func (a *apiWorld) fetch() (m minted) {
	a.t.Helper()
	client := &http.Client{Transport: a.sim.Transport()}
	resp, err := client.Get(apiURL + "/cgi-bin/token?grant_type=client_credential&secret=secret&appid=" + appid)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&m); err != nil {
		a.t.Fatal(err)
	}
	return m
}

// store stores what was fetched as the newest token.
func (a *apiWorld) store(m minted, reason wire.Reason) {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = token(a.last.Generation+1, time.Duration(m.ExpiresIn)*time.Second)
	a.last.Token, a.last.ID, a.last.Reason = secret.New(m.Token), wire.TokenID(m.Token), reason
	a.put(a.last)
}

// answer is what publishers do about a report.
func (a *apiWorld) answer(request wire.Request, req micro.Request) {
	a.minting.Lock()
	defer a.minting.Unlock()
	time.Sleep(200 * time.Millisecond)
	switch now := a.current(); {
	case request.ID != now.ID:
		a.reply(req, wire.AlreadyReplaced)
	case a.sim.CheckToken(now.Token.Reveal()) == 0:
		a.reply(req, wire.StillValid)
	default:
		a.mintBecause(wire.ReasonReported)
		a.reply(req, wire.Replaced)
	}
}

// revoke makes WeChat refuse the current token.
func (a *apiWorld) revoke() {
	a.t.Helper()
	if err := a.sim.Revoke(appid, wxsim.ChannelToken, false); err != nil {
		a.t.Fatal(err)
	}
}

// silence makes the publishers take reports and answer none.
func (a *apiWorld) silence() {
	a.t.Helper()
	a.asked.stop()
	settle()
	a.asked = a.respond(func(wire.Request, micro.Request) {})
}

// get calls the API, and checks the errcode of the reply.
func (a *apiWorld) get(ctx context.Context, pathAndQuery string, errcode int) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, apiURL+pathAndQuery, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	a.do(req, errcode)
}

func (a *apiWorld) do(req *http.Request, errcode int) {
	a.t.Helper()
	resp, err := a.client.Do(req)
	if err != nil {
		a.t.Errorf("%s %s: %v", req.Method, req.URL, err)
		return
	}
	defer resp.Body.Close()
	var reply struct{ ErrCode int }
	if body, err := io.ReadAll(resp.Body); err != nil || json.Unmarshal(body, &reply) != nil || reply.ErrCode != errcode {
		a.t.Errorf("%s %s: %q, %v; want errcode %d", req.Method, req.URL, body, err, errcode)
	}
	if resp.Request.URL.String() != req.URL.String() {
		a.t.Errorf("the reply's request is %v", resp.Request.URL)
	}
}

// tap counts what goes through it, and fails if anything isn't closed.
type tap struct {
	base   http.RoundTripper
	before func(n int, req *http.Request) // of the n-th request, counted from 1

	mu     sync.Mutex
	tokens []string // as sent
	open   int      // bodies, of requests and of replies
}

func (p *tap) RoundTrip(req *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.tokens = append(p.tokens, req.URL.Query().Get(tokenquery.Param))
	n := len(p.tokens)
	p.mu.Unlock()
	if p.before != nil {
		p.before(n, req)
	}
	if req.Body != nil && req.Body != http.NoBody {
		out := *req
		out.Body = p.watch(req.Body)
		req = &out
	}
	resp, err := p.base.RoundTrip(req)
	if err == nil {
		resp.Body = p.watch(resp.Body)
	}
	return resp, err
}

// sent tells how many requests went through, and forgets them.
func (p *tap) sent(t *testing.T) int {
	t.Helper()
	settle()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open != 0 {
		t.Errorf("%d bodies are not closed", p.open)
	}
	n := len(p.tokens)
	p.tokens = nil
	return n
}

func (p *tap) watch(body io.ReadCloser) io.ReadCloser {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open++
	return &watched{ReadCloser: body, closed: sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.open--
	})}
}

type watched struct {
	io.ReadCloser
	closed func()
}

func (w *watched) Close() error {
	w.closed()
	return w.ReadCloser.Close()
}

// baseFunc is a base that a test makes up.
type baseFunc func(*http.Request) (*http.Response, error)

func (f baseFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// replying is a reply with that body.
func replying(body string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body))}
}

// holding is a source that has a token and no connection: it can't refresh.
func holding(text string, opts ...Option) *Source {
	o, err := readOptions(appid, opts)
	if err != nil {
		panic(err)
	}
	src := &Source{appid: appid, opts: &o}
	src.now.Store(&snapshot{token: Token{AppID: appid, ID: wire.TokenID(text), Generation: 1, text: secret.New(text)},
		superseded: make(chan struct{})})
	return src
}
