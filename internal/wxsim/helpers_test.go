package wxsim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	appid  = "wx0123456789abcdef"
	appid2 = "wxfedcba9876543210"
	pass   = "s3cret-of-the-account"
)

// world is a simulator with two accounts and a client.
type world struct {
	*Server
	t      *testing.T
	client *http.Client
}

func newWorld(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	o := Options{Accounts: []Account{{AppID: appid, Secret: pass}, {AppID: appid2, Secret: pass}}}
	for _, c := range change {
		c(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &world{s, t, &http.Client{Transport: s.Transport()}}
}

// bubble runs a test in fake time, where it may sleep.
func bubble(t *testing.T, test func(t *testing.T, w *world), change ...func(*Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t, change...)) })
}

func withKnobs(k Knobs) func(*Options)         { return func(o *Options) { o.Knobs = k } }
func withLife(d time.Duration) func(*Options)  { return func(o *Options) { o.ExpiresIn = d } }
func (w *world) fault(f Fault) int             { w.t.Helper(); id, err := w.AddFault(f); w.must(err); return id }
func (w *world) must(err error)                { w.t.Helper(); fail(w.t, err) }
func (w *world) from(addr string) *http.Client { return &http.Client{Transport: w.TransportFrom(addr)} }

func fail(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// said is what the simulator answered.
type said struct {
	Status  int
	Header  http.Header
	Body    string
	Err     error
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
	Token   string `json:"access_token"`
	Expires int64  `json:"expires_in"`
	Ticket  string `json:"ticket"`
}

func do(client *http.Client, method, path, body string) said {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, "https://api.weixin.qq.com"+path, reader)
	if err != nil {
		return said{Err: err}
	}
	resp, err := client.Do(req)
	if err != nil {
		return said{Err: err}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	s := said{Status: resp.StatusCode, Header: resp.Header, Body: string(data), Err: err}
	json.Unmarshal(bytes.TrimSpace(data), &s)
	return s
}

func tokenPath(id, secret string) string {
	return "/cgi-bin/token?" + url.Values{"grant_type": {"client_credential"}, "appid": {id}, "secret": {secret}}.Encode()
}

func stableBody(id, secret string, force bool) string {
	b, _ := json.Marshal(map[string]any{"grant_type": "client_credential", "appid": id, "secret": secret, "force_refresh": force})
	return string(b)
}

func (w *world) token() said { return do(w.client, "GET", tokenPath(appid, pass), "") }
func (w *world) stable() said {
	return do(w.client, "POST", pathStable, stableBody(appid, pass, false))
}
func (w *world) force() said { return do(w.client, "POST", pathStable, stableBody(appid, pass, true)) }
func (w *world) check(token string) said {
	return do(w.client, "GET", "/cgi-bin/get_api_domain_ip?access_token="+token, "")
}

// minted is a mint that has to succeed.
func (w *world) minted(s said) said {
	w.t.Helper()
	if s.Err != nil || s.Token == "" || s.ErrCode != 0 {
		w.t.Fatalf("mint: %+v", s)
	}
	return s
}

// wants checks the errcode that a business call with the token gets, both ways.
func (w *world) wants(name, token string, code int) {
	w.t.Helper()
	if got := w.check(token); got.ErrCode != code || got.Err != nil {
		w.t.Errorf("%s: get_api_domain_ip says %d %s, want %d", name, got.ErrCode, got.ErrMsg, code)
	}
	if got := w.CheckToken(token); got != code {
		w.t.Errorf("%s: CheckToken says %d, want %d", name, got, code)
	}
}

func (w *world) stats(id string) Stats {
	w.t.Helper()
	st, err := w.Stats(id)
	w.must(err)
	return st
}

func code(t *testing.T, name string, got said, want int) {
	t.Helper()
	if got.Err != nil || got.Status != 200 || got.ErrCode != want {
		t.Errorf("%s: %d %q %v, want errcode %d", name, got.Status, got.Body, got.Err, want)
	}
}
