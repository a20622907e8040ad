package agent

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

const key = "a-key-of-our-own"

func (w *world) stable(appid, secretText string, force bool) answer {
	w.t.Helper()
	body, _ := json.Marshal(map[string]any{"grant_type": "client_credential", "appid": appid, "secret": secretText, "force_refresh": force})
	return w.call("POST", "/cgi-bin/stable_token", string(body))
}

func (w *world) plain(appid, secretText string) answer {
	w.t.Helper()
	return w.call("GET", "/cgi-bin/token?grant_type=client_credential&appid="+appid+"&secret="+secretText, "")
}

// mintedIn reads WeChat's answer.
func mintedIn(t *testing.T, a answer) (m minted) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &m); err != nil || a.status != 200 || m.AccessToken == "" {
		t.Fatalf("no token: %v", a)
	}
	return m
}

func TestMintEndpointsAnswerFromMemory(t *testing.T) {
	w := newWorld(t, nil, first, second)
	await(t, "both", func() bool { return liveOf(w.agent.accounts.all()) == 2 })
	mints := len(w.sim.Ledger(first))
	for _, got := range []answer{w.plain(first, "whatever"), w.stable(first, "", false)} {
		m := mintedIn(t, got)
		if m.AccessToken != w.token(first) || m.ExpiresIn <= 0 || m.ExpiresIn > 600 {
			t.Errorf("expires_in %d, or not the token in hand", m.ExpiresIn)
		}
		// co-wechat-api escapes line feeds before it parses, also one behind the JSON.
		if !strings.HasPrefix(got.body, `{"access_token":"`) || !strings.HasSuffix(got.body, "}") || strings.Contains(got.body, "errcode") {
			t.Error("not in WeChat's form")
		}
	}
	if n := len(w.sim.Ledger(first)); n != mints {
		t.Errorf("%d mints, want %d", n, mints)
	}
}

func TestAForcedRefreshIsAReport(t *testing.T) {
	w := newWorld(t, nil, first)
	before := w.token(first)
	if m := mintedIn(t, w.stable(first, "", true)); m.AccessToken != before {
		t.Error("a good token was replaced")
	}
	must(t, w.sim.Revoke(first, wxsim.ChannelToken, false))
	if m := mintedIn(t, w.stable(first, "", true)); m.AccessToken == before {
		t.Error("a dead token was not replaced")
	}
	before = w.token(first)
	w.stopPublisher()
	if m := mintedIn(t, w.stable(first, "", true)); m.AccessToken != before {
		t.Error("without publishers, the token is another one")
	}
}

func TestMintErrorsAreWeChats(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Keys = map[string]secret.String{first: secret.New(key)} }, first, second)
	await(t, "both", func() bool { return liveOf(w.agent.accounts.all()) == 2 })
	mintedIn(t, w.stable(first, key, false))
	for name, c := range map[string]struct {
		got  answer
		code int
	}{
		"no appid":       {w.plain("", key), 41002},
		"odd appid":      {w.plain("wx%201", key), 40013},
		"unknown appid":  {w.plain("wxunknown", key), 40013},
		"AppSecret":      {w.plain(first, appSecret), 40125},
		"no secret":      {w.stable(first, "", false), 41004},
		"other's key":    {w.stable(second, key, false), 40125},
		"no grant":       {w.call("GET", "/cgi-bin/token?appid="+first, ""), 40002},
		"POST to token":  {w.call("POST", "/cgi-bin/token", "{}"), 43001},
		"GET for stable": {w.call("GET", "/cgi-bin/stable_token", ""), 43002},
		"no JSON":        {w.call("POST", "/cgi-bin/stable_token", "grant_type=client_credential"), 47001},
		"much JSON":      {w.call("POST", "/cgi-bin/stable_token", `{"x":"`+strings.Repeat("x", maxMintBody)+`"}`), 47001},
	} {
		if c.got.status != 200 || !strings.HasPrefix(c.got.body, fmt.Sprintf(`{"errcode":%d,"errmsg":"`, c.code)) {
			t.Errorf("%s: %v", name, c.got)
		}
	}
	w.agent.SetKeys(map[string]secret.String{second: secret.New(key)})
	mintedIn(t, w.stable(second, key, false))
	if got := w.stable(first, key, false); !strings.Contains(got.body, "40125") {
		t.Errorf("a key that was taken away: %v", got)
	}
}

// The exact requests of SDKs in other languages, as they leave them when their base URL is the agent's.
func TestRequestsOfSDKs(t *testing.T) {
	w := newWorld(t, nil, first)
	for name, got := range map[string]answer{
		"wechatpy":            w.call("GET", "/cgi-bin/token?grant_type=client_credential&appid="+first+"&secret=s", "", "User-Agent", "python-requests/2.32.3", "Accept", "*/*", "Accept-Encoding", "gzip, deflate", "Connection", "keep-alive"),
		"co-wechat-api":       w.call("GET", "/cgi-bin/token?grant_type=client_credential&appid="+first+"&secret=s", "", "Accept", "application/json", "User-Agent", "httpx/2.0"),
		"EasyWeChat (token)":  w.call("GET", "/cgi-bin/token?grant_type=client_credential&appid="+first+"&secret=s", "", "User-Agent", "Symfony HttpClient (Curl)", "Accept-Encoding", "gzip"),
		"EasyWeChat (stable)": w.call("POST", "/cgi-bin/stable_token", `{"grant_type":"client_credential","appid":"`+first+`","secret":"s","force_refresh":false}`, "Content-Type", "application/json"),
		"WxJava (stable)":     w.call("POST", "/cgi-bin/stable_token", `{"grant_type":"client_credential","appid":"`+first+`","secret":"s","force_refresh":false}`, "Content-Type", "text/plain; charset=UTF-8", "User-Agent", "Apache-HttpClient/4.5.14 (Java/17)"),
		"Senparc":             w.call("GET", "/cgi-bin/token?grant_type=client_credential&appid="+first+"&secret=s", ""),
	} {
		m := mintedIn(t, got)
		w.wantFine(w.call("POST", "/cgi-bin/message/custom/send?access_token="+m.AccessToken, `{"touser":"o","msgtype":"text","text":{"content":"你好"}}`, "Content-Type", "application/json"))
		if t.Failed() {
			t.Fatalf("%s: %v", name, got.status)
		}
	}
}
