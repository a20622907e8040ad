package agent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/tokenquery"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/subscriber"
)

// The files fuzz*_test.go need no other test file, so that .ci/fuzz can build them without those.

// fuzzAccounts are those of the fuzzed agent: their tokens and keys.
var fuzzAccounts = map[string]struct{ token, key string }{
	"wx-one": {"84_token-of-the-first", "key-of-the-first-account"},
	"wx-two": {"84_token-of-the-second", "key-of-the-second-account"},
}

// Whole requests, as they come over the socket, and whole replies of WeChat's, in which $T stands for an echo of the token.
func FuzzCall(f *testing.F) {
	const fine = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"errcode\":0} \n"
	for _, request := range []string{
		"GET /cgi-bin/user/get?access_token=stale&b=%zz HTTP/1.1\r\nHost: localhost\r\nX-WX-AppID: wx-one\r\nCookie: a=1\r\n\r\n",
		"POST /cgi-bin/menu/create?%61ccess_token=x HTTP/1.1\r\nHost: [::1]:9403\r\nX-WX-AppID: wx-two\r\nContent-Length: 2\r\n\r\n{}",
		"POST /a?access_token=84_token-of-the-second HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\n{}\r\n0\r\nX: 1\r\n\r\n",
		"GET /sns/userinfo?access_token=user HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /x/sns/userinfo?access_token=user HTTP/1.1\r\nHost: localhost\r\nX-WX-AppID: wx-one\r\n\r\n",
		"GET /x/cgi-bin/clear_quota/v2?access_token=user HTTP/1.1\r\nHost: localhost\r\nX-WX-AppID: wx-one\r\n\r\n",
		"GET /wxa/x?component_access_token=c HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET http://evil.example/cgi-bin/x HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET //evil.example/cgi-bin/../token?a HTTP/1.1\r\nHost: localhost\r\nX-WX-AppID: wx-one\r\n\r\n", "CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /cgi-bin/token?grant_type=client_credential&appid=wx-one&secret=key-of-the-first-account HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /cgi-bin/token?grant_type=client_credential&appid=wx-two&secret=key-of-the-first-account HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"POST /cgi-bin/stable_token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 103\r\n\r\n" +
			`{"grant_type":"client_credential","appid":"wx-two","secret":"key-of-the-second-account","force_refresh":0}`,
		"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n", "TRACE /metrics HTTP/1.1\r\nHost: localhost\r\nOrigin: http://x\r\n\r\n",
		"GET /cgi-bin/x HTTP/1.1\r\nHost: localhost\r\nX-WX-AppID: wx-one\r\nConnection: Upgrade, X-WX-AppID\r\nUpgrade: h2c\r\n\r\n",
	} {
		f.Add([]byte(request), []byte(fine))
	}
	call := []byte("GET /cgi-bin/x HTTP/1.1\r\nHost: localhost\r\nX-WX-AppID: wx-two\r\n\r\n")
	for _, reply := range []string{
		"HTTP/1.1 302 Found\r\nLocation: https://one.test/other/a\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: https://one.test/wxa/b\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: https://one.test//evil.example/?access_token=$T&a=1\r\nSet-Cookie: a=$T\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: https://evil.example/?a=$T#$T\r\nAccess-Control-Allow-Origin: *\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Token\r\n\r\n2\r\n{}\r\n0\r\nX-Token: $T\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-$T: 1\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 45\r\n\r\n{\"errcode\":42001,\"errmsg\":\"$T is expired\"}  ",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.1 010 OK\r\n\r\n$T", "HTTP/1.1 502 Bad Gateway\r\n\r\n$T", "nothing", "",
	} {
		f.Add(call, []byte(reply))
	}
	// A trial of the token on the second host had the first one's name in its Host header.
	f.Add([]byte("POST /a HTTP/1.1\r\nHost: localhost\r\nX-WX-AppID: wx-one\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n0\r\n\r\n"), []byte(""))
	w := newFuzzedAgent(f)
	f.Fuzz(func(t *testing.T, request, reply []byte) {
		if r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request))); err == nil {
			asked, err := io.ReadAll(r.Body)
			w.check(t, request, reply, asked, err == nil)
		}
	})
}

// fuzzedAgent is an agent with two accounts, without NATS or WeChat.
type fuzzedAgent struct {
	*Agent
	log   bytes.Buffer
	reply []byte
	sent  []*http.Request
	body  []byte // of the last of them

	location string // where WeChat redirected to
}

func newFuzzedAgent(f *testing.F) *fuzzedAgent {
	w := &fuzzedAgent{}
	conn, err := nats.Connect("nats://nowhere.test", nats.SetCustomDialer(nowhere{}), nats.RetryOnFailedConnect(true), nats.ReconnectWait(time.Hour))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(conn.Close)
	keys := make(map[string]secret.String)
	for appid, a := range fuzzAccounts {
		keys[appid] = secret.New(a.key)
	}
	w.Agent, err = New(Config{
		Conn: conn, Names: wire.DefaultNames(), AppIDs: slices.Collect(maps.Keys(fuzzAccounts)), Bases: []string{"https://one.test/wx/", "https://two.test"}, Metrics: prometheus.NewRegistry(), Keys: keys,
		Logger: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		f.Fatal(err)
	}
	w.upstream.transport.RegisterProtocol("https", w)
	for appid, a := range fuzzAccounts {
		w.open(f, conn, appid, a.token)
	}
	return w
}

// nowhere connects to nothing.
type nowhere struct{}

func (nowhere) Dial(string, string) (net.Conn, error) { return nil, errors.New("there is no network") }

// open gives the agent a source that has its token from a file.
func (w *fuzzedAgent) open(f *testing.F, conn *nats.Conn, appid, token string) {
	dir, now := f.TempDir(), time.Now()
	data, err := wire.Value{
		AppID: appid, Kind: wire.KindAccessToken, Token: secret.New(token), ExpiresIn: 24 * time.Hour, MintedAt: now, ExpiresAt: now.Add(24 * time.Hour), Generation: 1,
	}.Encode()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, appid+".access_token.json"), data, 0o600)
	}
	if err != nil {
		f.Fatal(err)
	}
	src, err := subscriber.Open(context.Background(), conn, appid, subscriber.WithWarmStart(dir), subscriber.WithAPIHosts("one.test"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(src.Close)
	a := w.accounts.get(appid)
	a.ails(nil)
	a.opened.Store(&opened{src, src.Transport(w.upstream)})
	held, _ := src.Token()
	w.accounts.saw(a, held)
}

// RoundTrip is WeChat's. Without a reply the first host can't be connected to.
func (w *fuzzedAgent) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(w.reply) == 0 && r.URL.Host == "one.test" {
		return nil, errors.New("no connection")
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	w.body = nil
	if r.Body != nil {
		w.body, _ = io.ReadAll(r.Body)
		r.Body.Close()
	}
	w.sent = append(w.sent, r)
	echo := bytes.ReplaceAll(w.reply, []byte("$T"), []byte(r.URL.Query().Get(tokenquery.Param)))
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(echo)), r)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL, err)
	}
	w.location = resp.Header.Get("Location")
	return resp, nil
}

// patienceFor bounds a call for which the source would look for a better token, in vain and for seconds.
func patienceFor(request, reply []byte) time.Duration {
	for _, sign := range []string{"40001", "40014", "42001", "force"} {
		if bytes.Contains(request, []byte(sign)) || bytes.Contains(reply, []byte(sign)) {
			return 5 * time.Millisecond
		}
	}
	return time.Hour
}

func (w *fuzzedAgent) check(t *testing.T, request, reply, asked []byte, whole bool) {
	w.log.Reset()
	w.reply, w.sent, w.body, w.location = reply, nil, nil, ""
	w.upstream.preferred.Store(0)
	for _, a := range w.accounts.all() {
		a.proven.Store(nil)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patienceFor(request, reply))
	defer cancel()
	r, _ := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
	answer := httptest.NewRecorder()
	gone := served(w.Handler(), answer, r.WithContext(ctx))
	for _, sent := range w.sent {
		checkSent(t, r, sent)
	}
	if n := len(w.sent); n > 0 && whole && !bytes.Equal(w.body, asked) && ctx.Err() == nil && !strings.HasSuffix(w.sent[n-1].URL.Path, "/get_api_domain_ip") {
		t.Errorf("the body is %q, WeChat gets %q", asked, w.body)
	}
	var said bytes.Buffer
	fmt.Fprint(&said, answer.Body, answer.Result().Header, answer.Result().Trailer)
	w.checkSaid(t, r, asked, said.String())
	checkRedirect(t, w.location, answer.Header().Get("Location"))
	if !gone && answer.Code/100 != 2 && len(w.sent) == 0 && r.URL.Path != "/readyz" && r.URL.Path != "/metrics" && !json.Valid(answer.Body.Bytes()) {
		t.Errorf("the refusal is no JSON: %s", answer.Body)
	}
}

// served tells whether the handler gave up, as it may when the client or WeChat is gone.
func served(h http.Handler, w http.ResponseWriter, r *http.Request) (gaveUp bool) {
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			panic(p)
		} else if p != nil {
			gaveUp = true
		}
	}()
	h.ServeHTTP(w, r)
	return false
}
