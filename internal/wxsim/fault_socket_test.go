package wxsim

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The tests of this file run over sockets and in real time: what net/http does with aborts and leaving callers is its own.

func socket(t *testing.T, w *world) *httptest.Server {
	server := httptest.NewServer(w.Server)
	server.Config.RegisterOnShutdown(w.Close)
	t.Cleanup(server.Close)
	return server
}

// minting is an option that makes a simulator tell of each mint.
func minting(told chan<- struct{}) func(*Options) {
	return func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(teller(told), nil)) }
}

type teller chan<- struct{}

func (t teller) Write(line []byte) (int, error) { t <- struct{}{}; return len(line), nil }

func TestHangEndsWhenTheCallerLeaves(t *testing.T) {
	minted := make(chan struct{}, 1)
	w := newWorld(t, minting(minted))
	server := httptest.NewServer(w.Server)
	defer server.Close()
	w.fault(Fault{Kind: Hang, After: true})
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "POST", server.URL+pathStable, strings.NewReader(stableBody(appid, pass, false)))
	done := make(chan error)
	go func() { _, err := server.Client().Do(req); done <- err }()
	<-minted
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	fail(t, server.Config.Shutdown(t.Context())) // returns only when no call is left
}

func TestHangEndsWithTheServer(t *testing.T) {
	minted := make(chan struct{}, 1)
	w := newWorld(t, minting(minted))
	server := socket(t, w)
	w.fault(Fault{Kind: Hang, After: true})
	done := make(chan error)
	go func() { _, err := server.Client().Get(server.URL + tokenPath(appid, pass)); done <- err }()
	<-minted
	fail(t, server.Config.Shutdown(t.Context()))
	if err := <-done; err == nil {
		t.Error("the call was answered")
	}
}

func TestFaultsOverSockets(t *testing.T) {
	w := newWorld(t)
	server := socket(t, w)
	get := func() (string, error) {
		resp, err := server.Client().Get(server.URL + tokenPath(appid, pass))
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		return string(data), err
	}
	w.fault(Fault{Kind: Drop, After: true, Count: 1})
	if _, err := get(); err == nil { // net/http may send a GET again by itself, but not on a fresh connection
		t.Error("drop: the call was answered")
	}
	w.fault(Fault{Kind: SlowBody, Delay: time.Microsecond, Count: 1})
	if body, err := get(); err != nil || !strings.HasSuffix(body, `"expires_in":7200}`) {
		t.Errorf("slow body: %q %v", body, err)
	}
	if got := w.stats(appid).Mints.Token; got != 2 {
		t.Errorf("%d mints, want 2", got)
	}
}
