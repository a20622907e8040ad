package subscribertest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/wxtoken/wxtoken/subscriber"
	"github.com/wxtoken/wxtoken/subscriber/subscribertest"
)

// codeOf calls the API with a token and returns the errcode.
func codeOf(t *testing.T, rt http.RoundTripper, token string) int {
	t.Helper()
	client := &http.Client{Transport: rt}
	resp, err := client.Post("https://api.weixin.qq.com/cgi-bin/message/custom/send?access_token="+url.QueryEscape(token),
		"application/json", strings.NewReader(`{"touser":"o"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body struct {
		ErrCode int `json:"errcode"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("HTTP %d, %v", resp.StatusCode, err)
	}
	return body.ErrCode
}

func TestWeChatAcceptsTheCurrentTokenOnly(t *testing.T) {
	d := subscribertest.New(t, appid)
	rt := d.RoundTripper(nil)
	check := func(token string, want int) {
		t.Helper()
		if got := codeOf(t, rt, token); got != want {
			t.Errorf("WeChat says %d to %q, want %d", got, token, want)
		}
	}
	check("token-1", 0)
	check("", 41001)
	check("a stranger's", 40001)
	d.Refuse(40014)
	check("token-1", 40014)
	d.Refuse(0)
	check("token-1", 0)
	d.Set("next")
	check("token-1", 42001)
	check("next", 0)
	d.Refuse(40001)
	d.Expire()
	check("next", 42001)
	d.Set("")
	check("token-4", 0)
}

func TestWeChatPassesOnWhatItAccepts(t *testing.T) {
	d := subscribertest.New(t, appid)
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.URL.Path, body)
	})
	req, _ := http.NewRequestWithContext(t.Context(), "POST", "https://api.weixin.qq.com/cgi-bin/x?access_token=token-1", strings.NewReader("hello"))
	resp, err := d.RoundTripper(api).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, _ := io.ReadAll(resp.Body); string(got) != "POST api.weixin.qq.com /cgi-bin/x hello" || resp.Request != req {
		t.Errorf("api saw %s", got)
	}
}

func TestWeChatOverASocket(t *testing.T) {
	d := subscribertest.New(t, appid)
	server := httptest.NewServer(d.WeChat(nil))
	defer server.Close()
	resp, err := server.Client().Get(server.URL + "/cgi-bin/user/get?access_token=token-1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, _ := io.ReadAll(resp.Body); string(got) != `{"errcode":0,"errmsg":"ok"}` {
		t.Errorf("got %s", got)
	}
}

// The examples' code, which examples don't run.
func TestSender(t *testing.T) {
	d := subscribertest.New(t, appid)
	s := &sender{d.Source(), &http.Client{Transport: d.RoundTripper(nil)}}
	d.Refuse(42001)
	if err := s.send(t.Context()); err != nil {
		t.Errorf("send: %v", err)
	}
	if reports := d.Reports(); len(reports) != 1 || reports[0].Token != "token-1" {
		t.Errorf("reports: %+v", reports)
	}
	d.Refuse(42001)
	d.OnRefresh(subscribertest.NoPublisher())
	if err := s.send(t.Context()); !errors.Is(err, subscriber.ErrNoPublisher) {
		t.Errorf("send without publishers: %v", err)
	}
	d.Expire()
	if err := s.send(t.Context()); !errors.Is(err, subscriber.ErrExpired) {
		t.Errorf("send with an expired token: %v", err)
	}
}

func TestTransportHeals(t *testing.T) {
	for name, answer := range map[string]subscribertest.Answer{
		"with a new token": subscribertest.Replace("fresh"),
		"without one":      subscribertest.NoPublisher(),
	} {
		t.Run(name, func(t *testing.T) {
			d := subscribertest.New(t, appid)
			d.Refuse(40001)
			d.OnRefresh(answer)
			want := 40001
			if name == "with a new token" {
				want = 0
			}
			if got := codeOf(t, d.Source().Transport(d.RoundTripper(nil)), "token-1"); got != want {
				t.Errorf("the caller got %d, want %d", got, want)
			}
			if n := len(d.Reports()); n != 1 {
				t.Errorf("%d reports, want 1", n)
			}
		})
	}
}

func TestTransportHealsOverASocket(t *testing.T) {
	d := subscribertest.New(t, appid)
	server := httptest.NewServer(d.WeChat(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })))
	defer server.Close()
	src, err := subscriber.Open(t.Context(), d.Conn(), appid, subscriber.WithAPIHosts(strings.TrimPrefix(server.URL, "http://")))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	d.Refuse(42001)
	resp, err := src.Client().Post(server.URL+"/cgi-bin/call", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, _ := io.ReadAll(resp.Body); string(got) != "hello" {
		t.Errorf("got %s", got)
	}
}
