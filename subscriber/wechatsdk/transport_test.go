package wechatsdk_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wxtoken/wxtoken/subscriber/subscribertest"
	"github.com/wxtoken/wxtoken/subscriber/wechatsdk"
)

// platform is a WeChat with two accounts, whose APIs lie under /a/ and /b/.
type platform map[string]http.RoundTripper

func (p platform) RoundTrip(req *http.Request) (*http.Response, error) {
	account, _, _ := strings.Cut(req.URL.Path[1:], "/")
	return p[account].RoundTrip(req)
}

func accountNamed(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "account %s", name) })
}

func TestAccountsShareAClient(t *testing.T) {
	a, b := subscribertest.New(t, "wx00000000000000aa"), subscribertest.New(t, "wx00000000000000bb")
	a.Set("a-0")
	b.Set("b-0")
	network := platform{"a": a.RoundTripper(accountNamed("a")), "b": b.RoundTripper(accountNamed("b"))}
	sdkA, sdkB := wechatsdk.New(a.Source()), wechatsdk.New(b.Source())
	client := &http.Client{Transport: wechatsdk.Transport(network, sdkA, sdkB)}
	call := func(sdk *wechatsdk.Adapter, path, want string) {
		t.Helper()
		token, err := sdk.GetAccessToken()
		if err != nil {
			t.Fatal(err)
		}
		if got := get(t, client, path, token); !strings.Contains(got, want) {
			t.Errorf("%s: %s; want %s", path, got, want)
		}
	}
	for i := range 6 { // more tokens than an adapter recognises
		call(sdkA, "/a/call", "account a")
		call(sdkB, "/b/call", "account b")
		a.Refuse(40001)
		b.Refuse(42001)
		a.OnRefresh(subscribertest.Replace(fmt.Sprintf("a-%d", i+1)))
		b.OnRefresh(subscribertest.Replace(fmt.Sprintf("b-%d", i+1)))
	}
	for name, d := range map[string]*subscribertest.Double{"a": a, "b": b} {
		if n := len(d.Reports()); n != 5 {
			t.Errorf("%d reports of %s, want 5", n, name)
		}
	}
}

func TestTokensOfOthersPassUntouched(t *testing.T) {
	d := subscribertest.New(t, appid)
	adapter := wechatsdk.New(d.Source())
	client := &http.Client{Transport: wechatsdk.Transport(d.RoundTripper(nil), adapter)}
	_, _ = adapter.GetAccessToken()
	for token, want := range map[string]string{"another account's": "40001", "": "41001"} {
		if got := get(t, client, "/cgi-bin/call", token); !strings.Contains(got, want) {
			t.Errorf("with %q: %s; want %s", token, got, want)
		}
	}
	if n := len(d.Reports()); n != 0 {
		t.Errorf("%d reports, want none", n)
	}
	client.CloseIdleConnections()
}

func TestTokenThatWasReplacedOnTheWay(t *testing.T) {
	d := subscribertest.New(t, appid)
	adapter := wechatsdk.New(d.Source())
	client := &http.Client{Transport: wechatsdk.Transport(d.RoundTripper(nil), adapter)}
	old, _ := adapter.GetAccessToken()
	d.Set("next")
	_, _ = adapter.GetAccessToken()
	if got := get(t, client, "/cgi-bin/call", old); !strings.Contains(got, `"errcode":0`) {
		t.Errorf("with the token before: %s", got)
	}
}

func TestTokenThatARefreshGaveOut(t *testing.T) {
	d := subscribertest.New(t, appid)
	adapter := wechatsdk.New(d.Source())
	client := &http.Client{Transport: wechatsdk.Transport(d.RoundTripper(nil), adapter)}
	token, err := adapter.RefreshToken("token-1")
	if err != nil {
		t.Fatal(err)
	}
	d.Refuse(40001)
	if got := get(t, client, "/cgi-bin/call", token); !strings.Contains(got, `"errcode":0`) {
		t.Errorf("with %s: %s", token, got)
	}
}

func get(t *testing.T, client *http.Client, path, token string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.weixin.qq.com"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.RawQuery = "access_token=" + strings.ReplaceAll(token, " ", "+")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
