package subscriber

import (
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

func TestTransportHealsARefusedCall(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		a.get(t.Context(), "/cgi-bin/user/info?openid=o1", 0)
		if n := a.wire.sent(t); n != 1 {
			t.Errorf("a good call: %d requests", n)
		}
		for asked, path := range []string{"/cgi-bin/user/info?openid=o1", "/cgi-bin/media/get?media_id="} { // the latter's errors are text/plain
			a.revoke()
			a.get(t.Context(), path, []int{0, wxsim.CodeInvalidMediaID}[asked])
			if n := a.wire.sent(t); n != 2 || a.asked.requests.Load() != int64(asked+1) {
				t.Errorf("%s: %d requests, %d refresh requests so far", path, n, a.asked.requests.Load())
			}
		}
	})
}

func TestTransportKnowsWhatARefusalIs(t *testing.T) {
	refusals := map[int]bool{40001: true, 40014: true, 42001: true, 40013: false, 41001: false, 42002: false, 45009: false, 48001: false, -1: false}
	for code, refusal := range refusals {
		withAPI(t, func(t *testing.T, a *apiWorld) {
			if _, err := a.sim.AddFault(wxsim.Fault{Kind: wxsim.ErrCode, Code: code, Count: 1}); err != nil {
				t.Fatal(err)
			}
			if refusal {
				a.get(t.Context(), "/cgi-bin/user/info?openid=o1", 0)
			} else {
				a.get(t.Context(), "/cgi-bin/user/info?openid=o1", code)
			}
			if asked := a.asked.requests.Load(); asked != 0 != refusal {
				t.Errorf("%d: %d refresh requests", code, asked)
			}
		})
	}
}

// Mints and calls that other tokens authorise are the caller's own affair, also when they are refused.
func TestTransportLeavesOtherTokensAlone(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		var sent string
		a.client.Transport = a.src.Transport(baseFunc(func(req *http.Request) (*http.Response, error) {
			sent = req.URL.String()
			return replying(`{"errcode":40001,"errmsg":"invalid credential"}`), nil
		}))
		for _, address := range []string{
			apiURL + "/cgi-bin/token?grant_type=client_credential&appid=a&secret=s",
			apiURL + "/cgi-bin/stable_token",
			"https://qyapi.weixin.qq.com/cgi-bin/gettoken?corpid=a&corpsecret=s",
			apiURL + "/sns/userinfo?access_token=OAUTH&openid=o1",
			apiURL + "/cgi-bin/component/api_authorizer_token?access_token=COMPONENT",
			apiURL + "/cgi-bin/account/x?component_access_token=COMPONENT",
			"http://api.weixin.qq.com/cgi-bin/user/info",
			"https://example.com/cgi-bin/user/info?access_token=theirs",
		} {
			resp, err := a.client.Get(address)
			if err != nil {
				t.Fatal(err)
			}
			if resp.Body.Close(); sent != address {
				t.Errorf("%s was sent as %s", address, sent)
			}
		}
		if asked := a.asked.requests.Load(); asked != 0 {
			t.Errorf("%d refresh requests", asked)
		}
	})
}

func TestTransportRefreshesOnceForAll(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		a.revoke()
		var callers sync.WaitGroup
		for range 500 {
			callers.Go(func() { a.get(t.Context(), "/cgi-bin/user/info?openid=o1", 0) })
		}
		callers.Wait()
		if asked := a.asked.requests.Load(); asked != 1 {
			t.Errorf("%d refresh requests", asked)
		}
		if n := a.wire.sent(t); n > 1000 {
			t.Errorf("%d requests", n)
		}
	})
}

// WeChat refuses a good token now and then. The publishers say that it is good, and the replay has the same.
func TestTransportCuresFlapping(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		for flaps, errcode := range []int{0, 0, 40001} {
			if flaps > 0 {
				if _, err := a.sim.AddFault(wxsim.Fault{Kind: wxsim.Flap, Count: flaps}); err != nil {
					t.Fatal(err)
				}
			}
			a.get(t.Context(), "/cgi-bin/user/info?openid=o1", errcode)
			if asked, n := a.asked.requests.Load(), a.wire.sent(t); asked != int64(flaps) || n != min(flaps+1, 2) {
				t.Errorf("%d flaps: %d refresh requests so far, %d requests", flaps, asked, n)
			}
		}
	})
}

// A token may die a moment after it replaced another: the replay that merely used it is not the one that a refresh is for.
func TestTransportReplaysWithANewerTokenFirst(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		a.wire.before = func(n int, req *http.Request) {
			if n == 1 {
				a.revoke()
				a.mint()
				settle()
				a.revoke()
			}
		}
		a.get(t.Context(), "/cgi-bin/user/info?openid=o1", 0)
		if asked, n := a.asked.requests.Load(), a.wire.sent(t); asked != 1 || n != 3 {
			t.Errorf("%d refresh requests, %d requests", asked, n)
		}
	})
}

// A token that nobody tried yet is not reported, also when it comes after the one replay with a newer token.
func TestTransportReportsOnlyWhatWasRefused(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		a.wire.before = func(n int, req *http.Request) {
			if n < 3 {
				a.revoke()
				a.mint()
				settle()
			}
		}
		a.get(t.Context(), "/cgi-bin/user/info?openid=o1", 0)
		if asked, n := a.asked.requests.Load(), a.wire.sent(t); asked != 0 || n != 3 {
			t.Errorf("%d refresh requests, %d requests", asked, n)
		}
	})
}

// The report met a rotation that was under way, and a stranger's mint killed what that brought. One call in 47,000 failed.
func TestTransportRefreshesAgainAfterARotation(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		a.asked.stop()
		settle()
		first := true
		a.asked = a.respond(func(request wire.Request, req micro.Request) {
			if !first {
				a.answer(request, req)
				return
			}
			first = false
			fetched := a.fetch()
			a.revoke() // before the source can have it
			a.store(fetched, wire.ReasonScheduled)
			a.reply(req, wire.AlreadyReplaced)
		})
		a.revoke()
		a.get(t.Context(), "/cgi-bin/user/info?openid=o1", 0)
		if asked, n := a.asked.requests.Load(), a.wire.sent(t); asked != 2 || n != 3 {
			t.Errorf("%d refresh requests, %d requests", asked, n)
		}
	})
}

// A token that was minted for the report, and is refused too, is WeChat's last word.
func TestTransportReplaysOnceAfterARefresh(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		a.wire.before = func(int, *http.Request) { a.revoke() }
		a.get(t.Context(), "/cgi-bin/user/info?openid=o1", 40001)
		if asked, n := a.asked.requests.Load(), a.wire.sent(t); asked != 1 || n != 2 {
			t.Errorf("%d refresh requests, %d requests", asked, n)
		}
	})
}

// However often tokens die, a call is sent four times at most.
func TestTransportGivesUp(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		a.wire.before = func(n int, req *http.Request) {
			a.revoke()
			a.mint()
			settle()
			a.revoke()
		}
		a.get(t.Context(), "/cgi-bin/user/info?openid=o1", 40001)
		if n := a.wire.sent(t); n != maxAttempts {
			t.Errorf("%d requests", n)
		}
	})
}

func TestTransportHealsTheTokenOfAnSDK(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		old := a.current().Token.Reveal()
		a.mint()
		settle()
		a.get(t.Context(), "/cgi-bin/user/info?openid=o1&access_token="+old, 0)
		a.wire.mu.Lock()
		if a.wire.tokens[0] != old {
			t.Error("a token that WeChat still accepts was replaced")
		}
		a.wire.mu.Unlock()
		a.wire.sent(t)
		time.Sleep(10 * time.Minute) // now WeChat doesn't
		for _, stale := range []string{old, "84_foreign", ""} {
			a.get(t.Context(), "/cgi-bin/user/info?access_token="+stale+"&openid=o1", 0)
		}
		if asked, n := a.asked.requests.Load(), a.wire.sent(t); asked != 0 || n != 5 {
			t.Errorf("%d refresh requests, %d requests", asked, n)
		}
		a.revoke()
		a.get(t.Context(), "/cgi-bin/user/info?openid=o1&access_token="+a.current().Token.Reveal(), 0)
		if asked, n := a.asked.requests.Load(), a.wire.sent(t); asked != 1 || n != 2 {
			t.Errorf("its token is the current one: %d refresh requests, %d requests", asked, n)
		}
	})
}

func TestTransportChangesNoRequest(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		a.revoke()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, apiURL+"/cgi-bin/menu/create?b=2&a=1",
			strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Own", "1")
		before, body := req.Clone(t.Context()), req.Body
		address := req.URL
		resp, err := a.client.Transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.Request != req || req.URL != address || *req.URL != *before.URL || !reflect.DeepEqual(req.Header, before.Header) ||
			req.Body != body || req.ContentLength != 2 {
			t.Errorf("the request was changed: %v", req.URL)
		}
	})
}
