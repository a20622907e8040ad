package subscribertest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// What WeChat says of tokens that it doesn't accept.
const (
	codeInvalid = 40001
	codeMissing = 41001
	codeExpired = 42001
)

// WeChat is a handler that stands for WeChat's API: it passes on to api what comes with the current token, and refuses
// everything else as WeChat does, with HTTP status 200 and an errcode: 41001 without a token, 42001 for an older one of the
// Double's, 40001 for an unknown one, and what Refuse says for the current one. A nil api answers {"errcode":0,"errmsg":"ok"}.
//
// Serve it with httptest.NewServer, and open the source with subscriber.WithAPIHosts, or use RoundTripper.
func (d *Double) WeChat(api http.Handler) http.Handler {
	if api == nil {
		api = http.HandlerFunc(ok)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code := d.judge(r.URL.Query().Get("access_token")); code != 0 {
			_, _ = io.Copy(io.Discard, r.Body) // as WeChat reads it before it judges
			say(w, code, textOf(code))
			return
		}
		api.ServeHTTP(w, r)
	})
}

// RoundTripper is WeChat(api) without a socket, for any URL: give it to Source().Transport as its base. api is called by
// the goroutine that calls the API, and its answer comes when it is whole.
func (d *Double) RoundTripper(api http.Handler) http.RoundTripper {
	return roundTripper{d.WeChat(api)}
}

func ok(w http.ResponseWriter, _ *http.Request) { say(w, 0, "ok") }

func textOf(code int) string {
	switch code {
	case codeInvalid:
		return "invalid credential, access_token is invalid or not latest"
	case codeMissing:
		return "access_token missing"
	case codeExpired:
		return "access_token expired"
	}
	return "refused"
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json; encoding=utf-8")
	fmt.Fprintf(w, `{"errcode":%d,"errmsg":%q}`, code, text)
}

// judge gives the errcode that a token is refused with, or 0.
func (d *Double) judge(token string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case token == "":
		return codeMissing
	case token == d.current.Token.Reveal():
		return d.refusal
	case d.known[wire.TokenID(token)] != "":
		return codeExpired
	}
	return codeInvalid
}

type roundTripper struct{ handler http.Handler }

func (t roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	in := req.Clone(req.Context())
	if req.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	in.RequestURI = req.URL.RequestURI()
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	in.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	t.handler.ServeHTTP(w, in)
	resp := w.Result()
	resp.Request = req
	return resp, nil
}
