package wechat

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestMintPlainOnTheWire(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.Method != "GET" || r.URL.Path != "/prefix/cgi-bin/token" || len(q) != 3 || q.Get("grant_type") != "client_credential" ||
			q.Get("appid") != testAppID || q.Get("secret") != testSecret {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		if body, _ := io.ReadAll(r.Body); len(body) != 0 {
			t.Errorf("body %q", body)
		}
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, minted)
	})
	a := newAccount(t, PlainToken, Config{Bases: []string{srv.URL + "/prefix/"}})
	before := time.Now()
	m, err := a.Mint(context.Background(), true)
	if err != nil || m.Token.Reveal() != "84_new" || m.ExpiresIn != 2*time.Hour {
		t.Fatalf("Mint = %q, %v, %v", m.Token.Reveal(), m.ExpiresIn, err)
	}
	if m.SentAt.Before(before) || !strings.Contains(m.SentAt.String(), "m=") {
		t.Errorf("SentAt %v, want after %v and monotonic", m.SentAt, before)
	}
}

func TestMintStableOnTheWire(t *testing.T) {
	for _, force := range []bool{false, true} {
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
			var got map[string]any
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
				t.Error(err)
			}
			want := map[string]any{"grant_type": "client_credential", "appid": testAppID, "secret": testSecret, "force_refresh": force}
			if r.Method != "POST" || r.URL.String() != "/cgi-bin/stable_token" || !reflect.DeepEqual(got, want) || r.ContentLength <= 0 {
				t.Errorf("%s %s %v", r.Method, r.URL, got)
			}
			if got := r.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type %q", got)
			}
			io.WriteString(w, `{"access_token":"84_new","expires_in":345}`)
		})
		m, err := newAccount(t, StableToken, Config{Bases: []string{srv.URL}}).Mint(context.Background(), force)
		if err != nil || m.ExpiresIn != 345*time.Second {
			t.Fatalf("Mint = %v, %v", m.ExpiresIn, err)
		}
	}
}

func TestMintOverHTTPS(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, minted) }))
	defer srv.Close()
	a := newAccount(t, StableToken, Config{Bases: []string{srv.URL}, Transport: srv.Client().Transport})
	if _, err := a.Mint(context.Background(), false); err != nil {
		t.Fatal(err)
	}
}

// HTTP says nothing: WeChat's errors are HTTP 200, and a token is one whatever the status line.
func TestStatusAndContentTypeDoNotCount(t *testing.T) {
	for _, status := range []int{200, 302, 404, 500} {
		srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			io.WriteString(w, minted)
		})
		if _, err := newAccount(t, StableToken, Config{Bases: []string{srv.URL}}).Mint(context.Background(), false); err != nil {
			t.Errorf("HTTP %d with a token: %v", status, err)
		}
	}
}

func TestBadRepliesAreNetworkFaults(t *testing.T) {
	bodies := map[string]string{
		"empty":           ``,
		"html":            `<html>502 Bad Gateway</html>`,
		"null":            `null`,
		"array":           `[]`,
		"cut":             `{"access_token":"84_n`,
		"trailing":        minted + `x`,
		"no token":        `{"expires_in":7200}`,
		"empty token":     `{"access_token":"","expires_in":7200}`,
		"token with line": `{"access_token":"a\nb","expires_in":7200}`,
		"token not text":  `{"access_token":7,"expires_in":7200}`,
		"no expires_in":   `{"access_token":"a"}`,
		"zero":            `{"access_token":"a","expires_in":0}`,
		"negative":        `{"access_token":"a","expires_in":-1}`,
		"milliseconds":    `{"access_token":"a","expires_in":7200000}`,
		"NaN":             `{"access_token":"a","expires_in":"NaN"}`,
		"odd code":        `{"errcode":"busy","access_token":"a","expires_in":7200}`,
		"gateway":         `{"code":502,"message":"bad gateway"}`,
		"too long":        `{"errcode":40013,"errmsg":"` + strings.Repeat("x", maxReply) + `"}`,
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			e := mintError(t, newAccount(t, StableToken, Config{Transport: answers(body)}))
			if e.Class != Transient || e.Code != 0 || !e.Ambiguous() || e.Host != "one.test" {
				t.Errorf("%#v", e)
			}
		})
	}
}

func TestReplyIsReadNoFurtherThanNeeded(t *testing.T) {
	var sent atomic.Int64
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			n, err := w.Write(make([]byte, 32<<10))
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	e := mintError(t, newAccount(t, PlainToken, Config{Bases: []string{srv.URL}}))
	if e.Class != Transient || e.Code != 0 {
		t.Errorf("%v", e)
	}
	srv.Close() // waits for the handler, which ends only when the client has hung up
	t.Logf("the server could send %d bytes", sent.Load())
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var calls atomic.Int32
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			http.Redirect(w, r, "/elsewhere?"+r.URL.RawQuery, status)
		})
		for _, endpoint := range []Endpoint{StableToken, PlainToken} {
			calls.Store(0)
			e := mintError(t, newAccount(t, endpoint, Config{Bases: []string{srv.URL}}))
			if calls.Load() != 1 || e.Class != Transient || !strings.Contains(e.Error(), fmt.Sprint("HTTP ", status)) {
				t.Errorf("%d calls, %v", calls.Load(), e)
			}
		}
	}
}

func TestSlowRepliesTimeOut(t *testing.T) {
	for name, start := range map[string]string{"silent": "", "headers, then silent": "HTTP/1.1 200 OK\r\n\r\n", "half a body": "HTTP/1.1 200 OK\r\n\r\n{\"access_"} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t, PlainToken, Config{Bases: []string{rawServer(t, start, true)}, Timeout: 250 * time.Millisecond})
			e := mintError(t, a)
			if e.Class != Transient || !e.Ambiguous() || !timesOut(e) {
				t.Errorf("%v, ambiguous %v", e, e.Ambiguous())
			}
		})
	}
}

// net/http repeats a GET whose kept connection breaks. Each repeat of /cgi-bin/token is a mint that nobody knows of.
func TestOneMintIsOneRequest(t *testing.T) {
	var calls atomic.Int32
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			io.WriteString(w, minted) // and keeps the connection, if the client wants that
			return
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close() // after the request was read: WeChat minted, the answer is lost
	})
	a := newAccount(t, PlainToken, Config{Bases: []string{srv.URL}})
	if _, err := a.Mint(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	if e := mintError(t, a); calls.Load() != 2 || !e.Ambiguous() {
		t.Errorf("%d requests for two mints, the second: %v", calls.Load(), e)
	}
}

// rawServer answers each connection with text, and then closes it or keeps it open until the test ends.
func rawServer(t testing.TB, text string, keep bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.Read(make([]byte, 4096))
				io.WriteString(conn, text)
				if keep {
					<-done
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}
