package agent

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

func TestCallsNeedNoToken(t *testing.T) {
	w := newWorld(t, nil, first)
	w.wantFine(w.call("GET", "/cgi-bin/user/get", ""))
	w.wantFine(w.call("POST", "/cgi-bin/menu/create?x=1", `{"button":[]}`))
	w.wantFine(w.call("POST", "/cgi-bin/message/template/send?access_token=stale", "{}"))
	w.wantFine(w.call("DELETE", "/cgi-bin/whatever?%61ccess_token=stale&b=%zz;&access_token", ""))
	w.wantFine(w.call("GET", "/cgi-bin/user/get", "", "Accept-Encoding", "gzip"))
}

func TestWhichAccount(t *testing.T) {
	w := newWorld(t, nil, first, second)
	await(t, "both", func() bool { return liveOf(w.agent.accounts.all()) == 2 && w.agent.listed.Load() })
	w.wantFine(w.call("GET", "/cgi-bin/a", "", "X-WX-AppID", first))
	w.wantFine(w.call("GET", "/cgi-bin/a", "", "x-wx-appid", second))
	w.wantFine(w.call("GET", "/cgi-bin/a?access_token="+w.token(second), ""))
	for _, c := range []struct {
		path, appid string
		status      int
		text        string
	}{
		{"/cgi-bin/a", "", 400, "X-WX-AppID"},
		{"/cgi-bin/a?access_token=unknown", "", 400, "X-WX-AppID"},
		{"/cgi-bin/a", "wxunknown", 404, "not served here"},
		{"/cgi-bin/a", "wx 1", 400, "no AppID"},
	} {
		var headers []string
		if c.appid != "" {
			headers = []string{"X-WX-AppID", c.appid}
		}
		got := w.call("GET", c.path, "", headers...)
		if got.status != c.status || !strings.Contains(got.body, c.text) || !strings.Contains(got.body, `"errcode":4`) {
			t.Errorf("%s %q: %v", c.path, c.appid, got)
		}
		if strings.Contains(got.body, first) || strings.Contains(got.body, second) {
			t.Errorf("other accounts are named: %v", got)
		}
	}
	stats, err := w.sim.Stats(second)
	if err != nil || stats.Accepted != 3 { // its mint, too
		t.Errorf("%s: %+v, %v", second, stats, err)
	}
}

// A soak found that an agent, just started, called accounts unknown that it hadn't looked for yet: an SDK takes 40013 for
// final. It could also have taken the first account that it found for the only one.
func TestAccountsAreNotUnknownBeforeTheyAreListed(t *testing.T) {
	nc, err := nats.Connect("nats://127.0.0.1:1", nats.RetryOnFailedConnect(true))
	must(t, err)
	defer nc.Close()
	g, err := New(Config{Conn: nc, Names: wire.DefaultNames(), Bases: []string{"http://127.0.0.1:1"}, Metrics: prometheus.NewRegistry()})
	must(t, err)
	g.accounts.add(first, true)
	for _, appid := range []string{"", second} {
		r := httptest.NewRequest("GET", "/cgi-bin/a", nil)
		r.Host = "127.0.0.1"
		if appid != "" {
			r.Header.Set("X-WX-AppID", appid)
		}
		got := httptest.NewRecorder()
		g.Handler().ServeHTTP(got, r)
		if got.Code != 503 || !strings.Contains(got.Body.String(), `"errcode":-1`) {
			t.Errorf("account %q: %d %s", appid, got.Code, got.Body)
		}
	}
}

func TestARestartIsADelayNotAFailure(t *testing.T) {
	w := newWorld(t, nil, first)
	for range 3 {
		must(t, w.stopAgent())
		w.startAgent(nil)
		w.wantFine(w.call("GET", "/cgi-bin/user/get", "")) // at once
	}
}

// Paths that WeChat may read as those of its mint endpoints, or that are none of its own.
func TestOddPathsGoNowhere(t *testing.T) {
	w := newWorld(t, nil, first)
	asked := 0
	w.wx.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ })
	query := "?grant_type=client_credential&appid=" + first + "&secret=" + appSecret
	for path, status := range map[string]int{
		"/cgi-bin//token": 400, "/cgi-bin/./token": 400, "/cgi-bin/x/../token": 400, "/cgi-bin/%74oken": 400,
		"/cgi-bin%2ftoken": 400, "/cgi-bin/token%20": 400, "/cgi-bin/token;x": 400, "/cgi-bin/token%00": 400, "/cgi-bin/..%2ftoken": 400,
		"/cgi-bin\\token": 400, "/cgi-bin/token%3f": 400, "/": 400, "/x@y": 400, "/cgi-bin/tok%E2%84%AAen": 400,
		"/cgi-bin/token/": 403, "/CGI-BIN/token": 403, "/cgi-bin/Stable_Token": 403, "/x/cgi-bin/token": 403, "/cgi-bin/stable_token/": 403,
		"/cgi-bin/gettoken": 403, "/cgi-bin/component/api_authorizer_token": 403, "/cgi-bin/service/get_provider_token": 403,
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.url, nil)
		must(t, err)
		req.URL.Opaque = strings.ReplaceAll(path, "\\", "%5C") + query
		if got := w.send(req); got.status != status || !strings.Contains(got.body, `"errcode":40066`) {
			t.Errorf("%s: %v", path, got)
		}
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET //cgi-bin/token"+query+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	must(t, err)
	if data, _ := io.ReadAll(conn); !strings.HasPrefix(string(data), "HTTP/1.1 400") {
		t.Errorf("double slash: %s", data)
	}
	if asked != 0 {
		t.Errorf("WeChat was asked %d times", asked)
	}
}

func TestNoOtherHostIsCalled(t *testing.T) {
	w := newWorld(t, nil, first)
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was called") }))
	defer other.Close()
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.url, nil)
	must(t, err)
	req.URL.Opaque = other.URL + "/cgi-bin/user/get"
	if got := w.send(req); got.status != 400 {
		t.Errorf("absolute URL: %v", got)
	}
	req.URL.Opaque = "//" + strings.TrimPrefix(other.URL, "http://") + "/cgi-bin/user/get"
	if got := w.send(req); got.status != 400 {
		t.Errorf("double slash: %v", got)
	}
	req, err = http.NewRequestWithContext(t.Context(), "GET", w.url+"/cgi-bin/user/get", nil)
	must(t, err)
	req.Host = strings.TrimPrefix(other.URL, "http://") // an IP address, so it passes the guard
	w.wantFine(w.send(req))
	req.Host = "evil.example"
	if got := w.send(req); got.status != 421 {
		t.Errorf("foreign Host: %v", got)
	}
	if got := w.call("TRACE", "/cgi-bin/user/get", ""); got.status != 405 {
		t.Errorf("TRACE: %v", got)
	}
}

// A revoked token is replaced, and calls are sent again: with a short body, a chunked one, and none.
func TestRefusedTokensHeal(t *testing.T) {
	w := newWorld(t, nil, first)
	for _, c := range []struct {
		method, body string
		chunked      bool
	}{{"GET", "", false}, {"POST", `{"a":1}`, false}, {"POST", `{"a":1}`, true}} {
		before := w.token(first)
		must(t, w.sim.Revoke(first, wxsim.ChannelToken, false))
		req, err := http.NewRequestWithContext(t.Context(), c.method, w.url+"/cgi-bin/menu/create_"+strings.ToLower(c.method), strings.NewReader(c.body))
		must(t, err)
		if c.chunked {
			req.Body, req.ContentLength, req.GetBody = io.NopCloser(strings.NewReader(c.body)), -1, nil
		}
		w.wantFine(w.send(req))
		if w.token(first) == before {
			t.Error("the token is the same")
		}
	}
	if text := w.call("GET", "/metrics", "").body; !strings.Contains(text, `wxtoken_agent_replays_total 3`) {
		t.Errorf("metrics: %s", text)
	}
}

// A long upload can't be sent again, so its token is tried before.
func TestLongUploadsBeginWithAGoodToken(t *testing.T) {
	w := newWorld(t, nil, first)
	must(t, w.sim.Revoke(first, wxsim.ChannelToken, false))
	const size = 300 << 10
	got := w.call("POST", "/cgi-bin/media/upload?type=image", mediaText(t, "up", size))
	if !strings.Contains(got.body, wxsim.MediaSHA256("up", size)) {
		t.Errorf("got %v", got)
	}
}

func mediaText(t *testing.T, id string, size int64) string {
	t.Helper()
	data, err := io.ReadAll(wxsim.Media(id, size))
	must(t, err)
	return string(data)
}

// A user's OAuth token and calls with a token of another kind are none of the agent's.
func TestOtherTokensPassUntouched(t *testing.T) {
	w := newWorld(t, nil, first, second)
	await(t, "both", func() bool { return liveOf(w.agent.accounts.all()) == 2 }) // no mint comes after that
	var seen []string
	w.wx.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.RequestURI())
		_, _ = io.WriteString(rw, `{"openid":"o"}`)
	})
	want := []string{"/sns/userinfo?access_token=user&openid=o", "/wxa/x?component_access_token=c", "/cgi-bin/clear_quota/v2?a=%zz"}
	for _, path := range want {
		if got := w.call("GET", path, ""); got.status != 200 {
			t.Errorf("%s: %v", path, got)
		}
	}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("WeChat saw %q", seen)
	}
}

// WeChat's rid/get, for one, shows the URL of an earlier call.
func TestEchoedTokensAreBlottedOut(t *testing.T) {
	w := newWorld(t, nil, first)
	w.wx.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		token := r.URL.Query().Get("access_token")
		h := rw.Header()
		h.Set("X-Echo", "a "+token)
		h.Set("Set-Cookie", "session=1")
		h.Set("Access-Control-Allow-Origin", "*")
		switch r.URL.Path {
		case "/cgi-bin/here":
			h.Set("Location", w.wx.URL+"/cgi-bin/there?access_token="+token+"&b=1")
			rw.WriteHeader(http.StatusFound)
		case "/cgi-bin/away":
			h.Set("Location", "https://mmbiz.example/file?b=1&access_token="+token+"#x")
			rw.WriteHeader(http.StatusFound)
		default:
			for part := range strings.SplitSeq(`{"request_url":"access_token=`+token[:9]+"|"+token[9:]+`&x=`+token+`"} `+token[:20], "|") {
				_, _ = io.WriteString(rw, part)
				rw.(http.Flusher).Flush()
			}
		}
	})
	for path, location := range map[string]string{"/cgi-bin/here": "/cgi-bin/there?b=1", "/cgi-bin/away": "https://mmbiz.example/file?b=1#x", "/cgi-bin/openapi/rid/get": ""} {
		got := w.call("GET", path, "")
		if all := got.body + fmt.Sprint(got.header); strings.Contains(all, w.token(first)) {
			t.Errorf("%s shows the token", path)
		}
		if got.header.Get("Location") != location {
			t.Errorf("%s leads to %s", path, got.header.Get("Location"))
		}
		if got.header.Get("Set-Cookie")+got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: header %v", path, got.header)
		}
		if location == "" && !strings.HasSuffix(got.body, `*"} `+w.token(first)[:20]) {
			t.Errorf("the rest is changed: %s", got.body)
		}
	}
}

func TestTheClientsOwnHeadersStayHere(t *testing.T) {
	w := newWorld(t, nil, first)
	var seen http.Header
	w.wx.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header })
	w.call("GET", "/cgi-bin/a", "", "X-WX-AppID", first, "Cookie", "c=1", "Referer", "http://x/?access_token=t", "Upgrade", "websocket",
		"Connection", "Upgrade", "X-Forwarded-For", "1.2.3.4", "User-Agent", "mine", "X-Mine", "1")
	for _, name := range []string{"X-Wx-Appid", "Cookie", "Referer", "Upgrade", "Connection", "X-Forwarded-For", "Accept-Encoding"} {
		if seen.Get(name) != "" {
			t.Errorf("%s: %s went to WeChat", name, seen.Get(name))
		}
	}
	if seen.Get("User-Agent") != "mine" || seen.Get("X-Mine") != "1" {
		t.Errorf("WeChat saw %v", seen)
	}
}

func TestTrailersPass(t *testing.T) {
	w := newWorld(t, nil, first)
	var got string
	w.wx.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Trailer", "X-Reply")
		data, _ := io.ReadAll(r.Body)
		got = string(data) + r.Trailer.Get("X-Sum")
		_, _ = io.WriteString(rw, "body")
		rw.Header().Set("X-Reply", "after")
	})
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.url+"/cgi-bin/a", io.NopCloser(strings.NewReader("x")))
	must(t, err)
	req.Trailer = http.Header{"X-Sum": {"7"}}
	resp, err := direct.Do(req)
	must(t, err)
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	must(t, err)
	if got != "x7" || resp.Trailer.Get("X-Reply") != "after" {
		t.Errorf("WeChat got %q, the client %v", got, resp.Trailer)
	}
}
