package wechat

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// A token that has something to escape, and is as long as real ones.
var testToken = "84_t+k/&%41" + strings.Repeat("_vW-p", 30)

const (
	testAppID  = "wx0123456789abcdef"
	testSecret = `s3cr+t/of &"an" <account>%41`
	minted     = `{"access_token":"84_new","expires_in":7200}`
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answers is a transport that gives every request the same reply.
func answers(body string) roundTrip {
	return func(*http.Request) (*http.Response, error) { return response(body), nil }
}

// fails is a transport that gives every request the same error.
func fails(err error) roundTrip {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func response(body string) *http.Response {
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(body))}
}

func newAccount(t testing.TB, e Endpoint, cfg Config) *Account {
	t.Helper()
	if cfg.Bases == nil {
		cfg.Bases = []string{"https://one.test"}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c.Account(testAppID, secret.New(testSecret), e)
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

func mintError(t testing.TB, a *Account) *Error {
	t.Helper()
	_, err := a.Mint(context.Background(), false)
	return asError(t, err)
}

func checkError(t testing.TB, a *Account) *Error {
	t.Helper()
	return asError(t, a.Check(context.Background(), secret.New(testToken)))
}

func asError(t testing.TB, err error) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error %v (%T), want an *Error", err, err)
	}
	return e
}
