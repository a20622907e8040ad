package wechat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// This file needs no other test file, so that .ci/fuzz can build it without them.

const fuzzSecret = `s3cr+t/of &"an" <account>%41`

var fuzzToken = "84_t+k/&%41" + strings.Repeat("_vW-p", 30)

// echoes are what stands in fuzzed replies for what a reply may show of a request.
var echoes = map[string]string{
	"$S": fuzzSecret, "$s": url.QueryEscape(fuzzSecret), "$p": url.PathEscape(fuzzSecret), "$j": strings.ReplaceAll(fuzzSecret, `"`, `\\\"`),
	"$T": fuzzToken, "$t": url.QueryEscape(fuzzToken),
}

// fuzzedReply is a transport that gives every request the same reply.
type fuzzedReply struct {
	status int
	body   string
}

func (r fuzzedReply) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: r.status, Body: io.NopCloser(strings.NewReader(r.body))}, nil
}

// What WeChat, or whatever answers in its place, says to a mint and to a check.
func FuzzWeChatReply(f *testing.F) {
	for _, body := range []string{`{"access_token":"84_new","expires_in":7200}`, `{"errcode":40164,"errmsg":"invalid ip ::ffff:203.0.113.9 $S"}`,
		`{"access_token":"a","expires_in":"7200.0"}`, `{"errcode":"x"}`, `{"ip_list":[]}`, `<html>$s`, ``, `null`, `[]`, `{"errcode":1e400}`,
		"{\"access_token\":\"\xff\"}", `{"errcode":40001,"errmsg":"$T is \u0000not the latest $t"}`, `{"access_token":"$T","expires_in":0,"errcode":-1,"errmsg":"$p $j"}`} {
		f.Add(body, 200)
	}
	f.Add("Bad Gateway $S", 502)
	f.Fuzz(func(t *testing.T, body string, status int) {
		for mark, echo := range echoes {
			body = strings.ReplaceAll(body, mark, echo)
		}
		client, err := NewClient(Config{Bases: []string{"https://one.test"}, Timeout: time.Hour, Transport: fuzzedReply{status, body}})
		if err != nil {
			t.Fatal(err)
		}
		account := client.Account("wx0123456789abcdef", secret.New(fuzzSecret), StableToken)
		got, err := account.Mint(context.Background(), false)
		checkMinted(t, got, err)
		checkShowsNothing(t, OpMint, body, err)
		checkShowsNothing(t, OpCheck, body, account.Check(context.Background(), secret.New(fuzzToken)))
	})
}

func checkMinted(t *testing.T, m Minted, err error) {
	t.Helper()
	if err != nil {
		if m != (Minted{}) {
			t.Errorf("a token beside %v", err)
		}
		return
	}
	text := m.Token.Reveal()
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		t.Errorf("token %q", text)
	}
	if m.ExpiresIn < time.Second || m.ExpiresIn > maxExpiresIn || m.ExpiresIn%time.Second != 0 {
		t.Errorf("expires in %v", m.ExpiresIn)
	}
}

// checkShowsNothing checks that an error is one of ours, and fit for logs, events and pages.
func checkShowsNothing(t *testing.T, op, body string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Op != op || (e.Code == 0) != (e.Err != nil) || e.Class.String() == "unknown" || e.Class == Stale && op == OpMint {
		t.Fatalf("%q: %#v", body, err)
	}
	all := fmt.Sprintf("%v %+v %#v %v %v %v", err, err, *e, e.Unwrap(), e.ClientIP(), e.Hint)
	for _, echo := range echoes {
		if strings.Contains(all, echo) {
			t.Errorf("%q shows %q: %s", body, echo, all)
		}
	}
	if len(e.Msg) > maxShown+len(shortened) || len(e.Error()) > 1000 || strings.ContainsFunc(e.Error(), func(r rune) bool { return r < ' ' }) {
		t.Errorf("%q: %q", body, e)
	}
}
