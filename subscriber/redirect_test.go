package subscriber

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wxtoken/wxtoken/internal/tokenquery"
)

func TestHideLocation(t *testing.T) {
	for location, want := range map[string]string{
		"": "", "/next": "/next",
		"https://x/y?a=1&access_token=tok&b#access_token=tok": "https://x/y?a=1&access_token=&b#access_token=tok",
		"?access_token=tok":                       "?access_token=",
		"/y?access_token=others":                  "/y?access_token=others",
		"/y?access_token=others&access_token=tok": "/y?access_token=others&access_token=",
		"/y?state=tok":                            "/y?state=tok",
		"/y#?access_token=tok":                    "/y#?access_token=",
	} {
		header := http.Header{}
		if location != "" {
			header.Set("Location", location)
		}
		if hideLocation(header, "tok"); header.Get("Location") != want {
			t.Errorf("%q becomes %q", location, header.Get("Location"))
		}
	}
}

// What an API's redirect leads to elsewhere gets no token, in no way.
func TestRedirectsShowNoToken(t *testing.T) {
	for _, query := range []string{"?openid=o1", "?openid=o1&access_token=sdks"} {
		var seen []*http.Request
		src := holding("84_token")
		client := &http.Client{Transport: src.Transport(baseFunc(func(req *http.Request) (*http.Response, error) {
			seen = append(seen, req)
			resp := replying("")
			to := map[int]string{1: "https://api.weixin.qq.com/second?" + req.URL.RawQuery, 2: "https://cdn.example/third?" + req.URL.RawQuery}
			if next, ok := to[len(seen)]; ok {
				resp.StatusCode = http.StatusTemporaryRedirect
				resp.Header.Set("Location", next)
			}
			return resp, nil
		}))}
		req, _ := http.NewRequest(http.MethodPost, "https://api.weixin.qq.com/first"+query, strings.NewReader("{}"))
		req.Header.Set("X-Own", "kept")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if len(seen) != 3 || seen[1].URL.Query().Get(tokenquery.Param) != "84_token" {
			t.Fatalf("%d requests", len(seen))
		}
		if referer := seen[1].Header.Get("Referer"); strings.Contains(referer, "sdks") {
			t.Errorf("the second request's Referer is %s", referer)
		}
		last := seen[2]
		if last.URL.Query().Get(tokenquery.Param) != "" || strings.Contains(last.Header.Get("Referer"), "token=8") ||
			strings.Contains(last.Header.Get("Referer"), "sdks") || last.Header.Get("X-Own") != "kept" {
			t.Errorf("the third party gets %s, %v", last.URL, last.Header)
		}
		if resp.Request.URL.Query().Get(tokenquery.Param) != "" || resp.Request.Header.Get("X-Own") != "kept" {
			t.Errorf("the reply's request is %v", resp.Request.URL)
		}
	}
}
