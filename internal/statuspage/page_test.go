package statuspage

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/publisher"
)

func TestThePageTellsOfAnAccount(t *testing.T) {
	f := newFleet(healthy("wx1", 90*time.Minute))
	f.minted = []publisher.Minted{
		{ID: "9f86d081884c7d65", Generation: 1795361400123, Reason: wire.ReasonReported, By: "host-b/2", At: now.Add(-30 * time.Minute)},
		{ID: "60303ae22b998861", Generation: 1795361400000, Reason: "a new reason", By: "host-c/3", At: now.Add(-26 * time.Hour)},
	}
	_, h := served(t, f)
	english := get(h, "/").Body.String()
	has(t, english, `<html lang="en">`, "<title>The account has a live token · wxtoken</title>", "host-a/1",
		`<h1>The account has a live token</h1>`, `id="account-wx1"`, "stable_token", "1 h 30 min left", `aria-label="75 % of its time is left: 1 h 30 min"`,
		`width="75"`, wire.TokenID("wx1"), "1795361400123", `datetime="2026-11-22T15:00:00Z" title="2026-11-22 15:00:00 UTC">30 min ago<`, "scheduled",
		"reported as refused", "9f86d081884c7d65", "host-b/2", "a new reason", "1 d 2 h ago", "60303ae22b998861", "host-c/3", "17", "9")
	chinese := get(h, "/", "Accept-Language", "zh-CN,zh;q=0.9,en;q=0.8").Body.String()
	has(t, chinese, `<html lang="zh-CN">`, "全部 1 个账号都有有效 token", "剩余 1 小时 30 分钟", `title="2026-11-22 23:00:00 北京时间">30 分钟前<`, "定时续期", "被报失效")
}

func TestBudgetsThatArentKnownAreNotShownAsWhole(t *testing.T) {
	unknown := healthy("wx1", time.Hour)
	unknown.ForcedLeft, unknown.AskedLeft, unknown.BudgetsUnknown = 20, 10, true
	_, h := served(t, newFleet(unknown))
	has(t, get(h, "/").Body.String(), "left today</dt><dd>not known</dd>", "request left</dt><dd>not known</dd>")
	has(t, get(h, "/?lang=zh").Body.String(), "强制刷新</dt><dd>未知</dd>")
}

func TestThePageSaysWhatToDo(t *testing.T) {
	missing := publisher.AccountStatus{AppID: "wx0", Endpoint: "token"}
	expired, unstored := healthy("wx1", -time.Minute), healthy("wx2", time.Hour)
	unstored.Unstored = true
	dial := &wechat.Error{Op: wechat.OpMint, Host: "api.weixin.qq.com", Err: errors.New("connection refused"), Hint: "look for a wall"}
	_, h := served(t, newFleet(
		failing(missing, refusal(40164, "invalid ip 203.0.113.7, not in whitelist")), failing(expired, dial), unstored,
		failing(healthy("wx3", time.Hour), errNATS), healthy("wx4", time.Hour),
	))
	english := get(h, "/").Body.String()
	has(t, english, "3 of 5 accounts without a live token",
		`class="row bad"`, "no token yet", "The last 3 mints failed.", "WeChat says 40164 invalid ip 203.0.113.7", "What to do", "Do something about it.", "in 45 s",
		`class="row bad"`, "expired", "ended 60 s ago", "api.weixin.qq.com: connection refused", "Look for a wall.",
		"not stored yet", `class="row warn"`, "can&#39;t be renewed", "not connected to NATS", "It is tried again by itself.", `class="row ok"`)
	chinese := get(h, "/?lang=zh").Body.String()
	has(t, chinese, "5 个账号中有 3 个没有有效 token", "微信返回 40164 invalid ip", "请把 203.0.113.7 加入 IP 白名单", "会自动重试；", "会自动重试。")
}

func TestThePageTellsOfItsSurroundings(t *testing.T) {
	f := newFleet(healthy("wx1", time.Hour))
	f.around = publisher.Surroundings{
		Peers: []publisher.Peer{
			{Publisher: "host-a/1", Version: "1.2.3", Started: now.Add(-50 * time.Hour), Requests: 1, Self: true},
			{Publisher: "host-b/2", Version: "1.2.4", Requests: 1234},
		},
		Server: publisher.Server{Name: strings.Repeat("N", 56), URL: "nats://n1:4222", Version: "2.15.2", Cluster: "c1", Others: []string{"nats://n2:4222"}, RTT: 2 * time.Millisecond},
		Buckets: []publisher.Bucket{
			{Name: "wx_token", Leader: "n1", Replicas: 3, Current: 2, Behind: []string{"n3"}}, {Name: "wx_token_ops", Err: errNATS},
		},
	}
	_, h := served(t, f)
	has(t, get(h, "/").Body.String(), "host-a/1", "this one", "1.2.3", "started", "2 d 2 h ago", "1 request<", "host-b/2", "1.2.4", "not known", "1,234 requests",
		strings.Repeat("N", 56), "NNNNNNNN…", "2.15.2", "nats://n1:4222", "c1", "2 ms", "nats://n2:4222",
		`<li class="warn">`, "wx_token", "2/3 replicas up to date · leader n1 · behind or offline: n3", `<li class="bad">`, "wx_token_ops", "not connected to NATS")
}

func TestThePageWithoutNATS(t *testing.T) {
	f := newFleet(healthy("wx1", time.Hour))
	f.status.StoreErr = errNATS
	_, h := served(t, f)
	has(t, get(h, "/").Body.String(), "The buckets can&#39;t be read or written", "not connected to NATS", "1 h left", "None is known.", "No publisher answers.", "Not connected.")
	g := newFleet(healthy("wx1", time.Hour))
	g.status.Connected = false
	_, h = served(t, g)
	has(t, get(h, "/").Body.String(), "Not connected to NATS", "Services go on with the tokens that they have.")
}

// What others have a hand in is shown as text, whatever it holds.
func TestNothingIsEchoedAsHTML(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=y>{{.}}`
	account := failing(healthy("wx1", time.Hour), refusal(40013, evil))
	account.MintedBy, account.Reason = evil, evil
	f := newFleet(account)
	f.minted = []publisher.Minted{{ID: evil, By: evil, Reason: evil}}
	f.around = publisher.Surroundings{
		Peers: []publisher.Peer{{Publisher: evil, Version: evil}}, Server: publisher.Server{Name: evil, URL: evil, Version: evil, Cluster: evil, Others: []string{evil}},
		Buckets: []publisher.Bucket{{Name: evil, Err: errors.New(evil)}},
	}
	page, h := served(t, f)
	for _, target := range []string{"/", "/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "/?lang=%22%3E%3Cscript%3Ealert(1)", "/?page=%22%3E%3Cscript%3Ealert(1)"} {
		hasNot(t, get(h, target).Body.String(), "<script>", "<img src=x")
	}
	s := &stream{page: page, query: query{page: 1, lang: langEN}, sent: make(map[string]string)}
	hasNot(t, s.news(context.Background()), "<script>", "<img src=x")
}

func TestEveryAnswerHasItsHeaders(t *testing.T) {
	page, h := served(t, newFleet(healthy("wx1", time.Hour)))
	page.Close() // so that the stream ends
	for target, want := range map[string]int{
		"/": 200, "/?q=nothing": 200, "/static/page.css": 200, "/static/page.js": 200, "/static/icon.svg": 200, "/static/page.html": 404, "/events": 503,
	} {
		w := get(h, target)
		if w.Code != want {
			t.Errorf("%s: %d", target, w.Code)
		}
		csp := w.Header().Get("Content-Security-Policy")
		has(t, csp, "default-src 'none'", "style-src 'self'", "script-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'")
		hasNot(t, csp, "unsafe", "*", "http")
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Referrer-Policy") != "no-referrer" || w.Header().Get("Cache-Control") == "" {
			t.Errorf("%s: %v", target, w.Header())
		}
	}
	body := get(h, "/").Body.String()
	hasNot(t, body, " style=", "<style", "onclick", "http://", "https://")
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		if w := call(h, method, "/"); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	if w := call(h, http.MethodHead, "/"); w.Code != 200 {
		t.Errorf("HEAD: %d", w.Code)
	}
	if w := get(h, "/nothing"); w.Code != 404 {
		t.Errorf("another path: %d", w.Code)
	}
}

func TestFilesAreAskedForOnce(t *testing.T) {
	_, h := served(t, newFleet())
	tag := get(h, "/static/page.css").Header().Get("ETag")
	if w := get(h, "/static/page.css", "If-None-Match", tag); tag == "" || w.Code != http.StatusNotModified {
		t.Errorf("tag %s: %d", tag, w.Code)
	}
	for name, kind := range map[string]string{"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"} {
		if got := get(h, "/static/"+name).Header().Get("Content-Type"); !strings.HasPrefix(got, kind) {
			t.Errorf("%s is %s", name, got)
		}
	}
}
