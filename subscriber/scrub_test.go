package subscriber

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/wxtoken/wxtoken/internal/tokenquery"
)

func TestErrorsShowNoToken(t *testing.T) {
	const tok = "84_tok/en+"
	address := "https://api.weixin.qq.com/x?" + tokenquery.Set("", tok)
	quoted := func(err error) error { return &url.Error{Op: "Get", URL: address, Err: err} }
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	cases := map[string]struct {
		err     error
		is      error
		timeout bool
	}{
		"url.Error":         {quoted(context.DeadlineExceeded), context.DeadlineExceeded, true},
		"within":            {fmt.Errorf("tried twice: %w", quoted(dial)), syscall.ECONNREFUSED, false},
		"joined":            {errors.Join(io.ErrUnexpectedEOF, quoted(io.EOF)), io.EOF, false},
		"nested":            {quoted(quoted(context.Canceled)), context.Canceled, false},
		"only text":         {errors.New("malformed reply " + tok), nil, false},
		"hidden deeper":     {mute{quoted(io.EOF)}, io.EOF, false},
		"without a token":   {dial, dial, false},
		"timeout with text": {fmt.Errorf("%s: %w", tok, &net.DNSError{IsTimeout: true, Name: "x"}), nil, true},
	}
	for name, c := range cases {
		src := holding(tok)
		rt := src.Transport(baseFunc(func(req *http.Request) (*http.Response, error) { return nil, c.err }))
		_, err := rt.RoundTrip(must(http.NewRequest(http.MethodGet, "https://api.weixin.qq.com/x", nil)))
		if err == nil || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", name, err)
		}
		var timeout net.Error
		if c.timeout && (!errors.As(err, &timeout) || !timeout.Timeout()) {
			t.Errorf("%s: no timeout: %#v", name, err)
		}
		for _, text := range everyText(err) {
			if strings.Contains(text, tok) || strings.Contains(text, url.QueryEscape(tok)) {
				t.Errorf("%s: a token is shown: %s", name, text)
			}
		}
		if op, ok := errors.AsType[*net.OpError](err); strings.HasPrefix(name, "with") && (!ok || op != dial) {
			t.Errorf("%s: the *net.OpError is lost: %v", name, err)
		}
	}
}

// mute is an error whose text doesn't tell what it wraps.
type mute struct{ error }

func (m mute) Error() string { return "no luck" }
func (m mute) Unwrap() error { return m.error }

// everyText is all that can be printed of err and of what it wraps.
func everyText(err error) []string {
	texts := []string{fmt.Sprintf("%v %+v %#v %s %q", err, err, err, err, err)}
	if u, ok := err.(*url.Error); ok {
		texts = append(texts, u.URL)
	}
	for _, cause := range wrapped(err) {
		texts = append(texts, everyText(cause)...)
	}
	return texts
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
