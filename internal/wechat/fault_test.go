package wechat

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// echo is what a badly behaved server or transport might tell: every secret in every form.
func echo() string {
	var all []string
	for _, s := range []string{testSecret, testToken} {
		all = append(all, forms(s)...)
	}
	return strings.Join(all, " | ")
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func timesOut(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

func TestFaults(t *testing.T) {
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	tests := map[string]struct {
		cfg    func(t *testing.T) Config
		unsent bool
		kept   func(error) bool
	}{
		"DNS": {func(*testing.T) Config {
			return own(&net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: noDNS}}, "https://host.invalid")
		}, true, func(err error) bool {
			e, ok := errors.AsType[*net.DNSError](err)
			return ok && e.Name == "host.invalid"
		}},
		"refused": {func(t *testing.T) Config { return Config{Bases: []string{closedPort(t)}} }, true, is(syscall.ECONNREFUSED)},
		"untrusted certificate": {func(t *testing.T) Config { return Config{Bases: []string{tlsServer(t)}} }, true, func(err error) bool {
			_, ok := errors.AsType[x509.UnknownAuthorityError](err)
			_, ok2 := errors.AsType[*tls.CertificateVerificationError](err)
			return ok && ok2
		}},
		"not TLS":   {func(t *testing.T) Config { return Config{Bases: []string{httpsToPlain(t)}} }, true, nil},
		"TLS hangs": {func(t *testing.T) Config { return quick("https" + strings.TrimPrefix(rawServer(t, "", true), "http")) }, true, timesOut},
		"TLS is cut": {func(t *testing.T) Config {
			return Config{Bases: []string{"https" + strings.TrimPrefix(rawServer(t, "", false), "http")}}
		}, true, nil},
		"no reply":   {func(t *testing.T) Config { return quick(rawServer(t, "", true)) }, false, timesOut},
		"closed":     {func(t *testing.T) Config { return Config{Bases: []string{rawServer(t, "", false)}} }, false, is(io.EOF)},
		"cut body":   {func(t *testing.T) Config { return raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{") }, false, is(io.ErrUnexpectedEOF)},
		"not HTTP":   {func(t *testing.T) Config { return raw(t, `{"access_token":"84_new","x":`+quote(echo())+"}\r\n\r\n") }, false, nil},
		"bad header": {func(t *testing.T) Config { return raw(t, "HTTP/1.1 200 OK\r\n"+minted+echo()+"\r\n\r\n") }, false, nil},
		"bad chunk": {func(t *testing.T) Config {
			return raw(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+minted+"\r\n")
		}, false, nil},
		"huge header": {func(t *testing.T) Config {
			return raw(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n")
		}, false, nil},
		"not JSON": {func(*testing.T) Config { return Config{Transport: answers(echo())} }, false, nil},
		"no token": {func(*testing.T) Config { return Config{Transport: answers(`{"x":` + quote(echo()) + `}`)} }, false, nil},
		"odd code": {func(*testing.T) Config { return Config{Transport: answers(`{"errcode":` + quote(echo()) + `}`)} }, false, nil},
		"redirect": {func(t *testing.T) Config {
			return raw(t, "HTTP/1.1 302 Found\r\nLocation: http://elsewhere/?"+url.QueryEscape(echo())+"\r\nContent-Length: 0\r\n\r\n")
		}, false, nil},
		"url.Error": {func(*testing.T) Config { return Config{Transport: fails(talkative(errors.New(echo())))} }, false, nil},
		"url.Error, DNS": {func(*testing.T) Config {
			return Config{Transport: fails(talkative(&net.DNSError{Name: "x", UnwrapErr: talkative(syscall.EIO)}))}
		}, true, nil},
		"url.Error, DNS text": {func(*testing.T) Config {
			return Config{Transport: fails(talkative(&net.DNSError{Err: echo(), Name: "x"}))}
		}, true, nil},
		"url.Error, dial": {func(*testing.T) Config {
			return Config{Transport: fails(talkative(&net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}))}
		}, true, is(syscall.EHOSTUNREACH)},
		"url.Error, read": {func(*testing.T) Config {
			return Config{Transport: fails(talkative(&net.OpError{Op: "read", Err: syscall.ECONNRESET}))}
		}, false, is(syscall.ECONNRESET)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := test.cfg(t)
			for _, endpoint := range []Endpoint{StableToken, PlainToken} {
				a := newAccount(t, endpoint, cfg)
				e := mintError(t, a)
				t.Log(e)
				if e.Class != Transient || e.Code != 0 || e.Unsent != test.unsent || e.Ambiguous() == test.unsent {
					t.Errorf("%#v", e)
				}
				if test.kept != nil && !test.kept(e) {
					t.Errorf("the cause is lost: %v", e)
				}
				showsNothing(t, e)
				showsNothing(t, checkError(t, a))
			}
		})
	}
}

func TestRefusalsShowNothing(t *testing.T) {
	long := strings.Repeat("x ", maxShown/2-5) // so that a cut comes in the middle of the secret
	interleaved := strings.Join(strings.Split(testSecret, ""), "\u200b")
	for _, msg := range []string{echo(), long + testSecret, long + url.QueryEscape(testToken), interleaved, "invalid ip " + testToken} {
		for _, code := range []int{-1, 40001, 40013, 40164, 45009, 99999} {
			body := fmt.Sprintf(`{"errcode":%d,"errmsg":%s}`, code, quote(msg))
			a := newAccount(t, PlainToken, Config{Transport: answers(body)})
			showsNothing(t, mintError(t, a))
			showsNothing(t, checkError(t, a))
		}
	}
}

func TestARefusalDoesNotShowATokenThatCameWithIt(t *testing.T) {
	body := `{"errcode":-1,"errmsg":"made 84_new","access_token":"84_new","expires_in":7200}`
	if e := mintError(t, newAccount(t, PlainToken, Config{Transport: answers(body)})); strings.Contains(e.Error(), "84_new") {
		t.Error(e)
	}
}

func TestEndedContextShowsNothing(t *testing.T) {
	for name, transport := range map[string]http.RoundTripper{"in process": hang, "own": nil} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t, PlainToken, Config{Bases: []string{rawServer(t, "", true)}, Transport: transport})
			ctx, cancel := context.WithCancelCause(context.Background())
			timer := time.AfterFunc(50*time.Millisecond, func() { cancel(talkative(errors.New(echo()))) })
			defer timer.Stop()
			_, err := a.Mint(ctx, false)
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			showsNothing(t, err)
			_, err = a.Mint(ctx, false)
			showsNothing(t, err)
		})
	}
}

func TestValuesShowNothing(t *testing.T) {
	a := newAccount(t, PlainToken, Config{Transport: answers(`{"access_token":` + quote(testToken) + `,"expires_in":7200}`)})
	m, err := a.Mint(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{a, *a, a.client, m, &m, struct{ A *Account }{a}} {
		noSecretIn(t, printouts(v))
	}
}

// A secret that another one contains must not leave the rest of that one behind.
func TestOverlappingSecrets(t *testing.T) {
	if got := show("x abcdef y", secret.New("abc"), secret.New("abcdef"), secret.String{}); got != "x "+scrubbed+" y" {
		t.Errorf("%q", got)
	}
	if got := show("x a\u200bb y", secret.New("a\u200bb")); got != "x "+scrubbed+" y" {
		t.Errorf("%q", got)
	}
	if got := show("x abc y", secret.New("abc\n")); got != "x "+scrubbed+" y" {
		t.Errorf("%q", got)
	}
}

// showsNothing looks at err and everything in its chain.
func showsNothing(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*url.Error](err); ok {
		t.Errorf("%v holds a *url.Error", err)
	}
	noSecretIn(t, printouts(err))
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			showsNothing(t, inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			showsNothing(t, inner)
		}
	}
}

func noSecretIn(t *testing.T, out string) {
	t.Helper()
	for _, s := range append(append(forms(testSecret), forms(testToken)...), "84_new") {
		if strings.Contains(out, s) {
			t.Errorf("%q is shown in %s", s, out)
		}
	}
}

func printouts(v any) string {
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&out, verb+"\n", v)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", struct{ V any }{v})
	if b, err := json.Marshal(v); err == nil {
		out.Write(b)
	}
	return out.String()
}

// talkative wraps err as an http.Client does, and that in a text of its own.
func talkative(err error) error {
	e := &url.Error{Op: "Get", URL: "https://one.test/?" + url.Values{"secret": {testSecret}, "access_token": {testToken}}.Encode(), Err: err}
	return fmt.Errorf("%s: %w", echo(), e)
}

func own(d *net.Dialer, base string) Config {
	transport := newTransport(10 * time.Second)
	transport.DialContext = d.DialContext
	return Config{Bases: []string{base}, Transport: transport}
}

func noDNS(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("no name server in tests")
}

func quick(base string) Config { return Config{Bases: []string{base}, Timeout: 250 * time.Millisecond} }

func raw(t *testing.T, text string) Config { return Config{Bases: []string{rawServer(t, text, false)}} }

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func tlsServer(t *testing.T) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL
}

func httpsToPlain(t *testing.T) string {
	t.Helper()
	return "https" + strings.TrimPrefix(serve(t, func(http.ResponseWriter, *http.Request) {}).URL, "http")
}
