package wxsim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// handled runs a handler behind a transport.
func handled(h http.HandlerFunc) *http.Client {
	return &http.Client{Transport: transport{handler: h, remoteAddr: "127.0.0.1:1"}}
}

func TestTransportLooksLikeAServer(t *testing.T) {
	var got *http.Request
	client := handled(func(w http.ResponseWriter, r *http.Request) {
		got = r
		data, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", string(data))
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("X-Late", "not sent")
		io.WriteString(w, "hello")
	})
	resp, err := client.Post("https://api.weixin.qq.com/a%2Fb?c=d", "text/x", strings.NewReader("body"))
	fail(t, err)
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 418 || string(data) != "hello" || resp.Header.Get("X-Seen") != "body" || resp.Header.Get("X-Late") != "" || resp.ContentLength != -1 {
		t.Errorf("response %+v %q", resp, data)
	}
	if got.Host != "api.weixin.qq.com" || got.RequestURI != "/a%2Fb?c=d" || got.URL.Host != "" || got.URL.Path != "/a/b" || got.RemoteAddr != "127.0.0.1:1" || got.ContentLength != 4 {
		t.Errorf("request %+v", got)
	}
}

func TestTransportHead(t *testing.T) {
	resp, err := handled(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }).Head("http://x/")
	fail(t, err)
	defer resp.Body.Close()
	if data, err := io.ReadAll(resp.Body); err != nil || len(data) != 0 {
		t.Errorf("%q %v", data, err)
	}
}

func TestTransportCutConnections(t *testing.T) {
	for name, before := range map[string]func(http.ResponseWriter){
		"at once":     func(http.ResponseWriter) {},
		"in the body": func(w http.ResponseWriter) { w.Header().Set("Content-Length", "9"); io.WriteString(w, "half") },
	} {
		synctest.Test(t, func(t *testing.T) {
			got := do(handled(func(w http.ResponseWriter, r *http.Request) {
				before(w)
				panic(http.ErrAbortHandler)
			}), "POST", "/", "body")
			if !errors.Is(got.Err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: %v, want unexpected EOF", name, got.Err)
			}
		})
	}
}

// A handler that gives up when the context ends, in whatever way, must not look like one that is done: a body that was
// cut off once came with a clean end, or with an unexpected one, depending on who was first.
func TestTransportContextIsTheCauseHoweverTheHandlerEnds(t *testing.T) {
	for name, end := range map[string]func(){"returns": func() {}, "aborts": func() { panic(http.ErrAbortHandler) }} {
		for range 200 {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				req, _ := http.NewRequestWithContext(ctx, "GET", "http://x/", nil)
				resp, err := handled(func(w http.ResponseWriter, r *http.Request) {
					io.WriteString(w, "half")
					<-r.Context().Done()
					end()
				}).Do(req)
				fail(t, err)
				defer resp.Body.Close()
				if data, err := io.ReadAll(resp.Body); !errors.Is(err, context.DeadlineExceeded) || string(data) != "half" {
					t.Fatalf("%s: %q %v", name, data, err)
				}
			})
		}
	}
}

// A bubble fails the test when goroutines are left at its end: that is the point of the following.

func TestTransportContextEndsBothSides(t *testing.T) {
	cause := errors.New("enough")
	waits := map[string]http.HandlerFunc{
		"waiting": func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"reading": func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) },
		"writing": func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 100)); err != nil {
					return
				}
			}
		},
	}
	for name, wait := range waits {
		synctest.Test(t, func(t *testing.T) {
			ended := make(chan time.Time, 1)
			client := handled(func(w http.ResponseWriter, r *http.Request) { wait(w, r); ended <- time.Now() })
			ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Second, cause)
			defer cancel()
			begun := time.Now()
			never, w := io.Pipe()
			defer w.Close()
			req, _ := http.NewRequestWithContext(ctx, "POST", "http://x/", never)
			resp, err := client.Do(req)
			if err == nil {
				time.Sleep(4 * time.Second)
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if !errors.Is(err, cause) {
				t.Errorf("%s: %v, want the context's cause", name, err)
			}
			if at := <-ended; at.Sub(begun) != 3*time.Second {
				t.Errorf("%s: the handler ended after %v", name, at.Sub(begun))
			}
		})
	}
}

func TestTransportClosedBodyEndsTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := handled(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "first")
			<-r.Context().Done()
		})
		resp, err := client.Get("http://x/")
		fail(t, err)
		buf := make([]byte, 5)
		io.ReadFull(resp.Body, buf)
		resp.Body.Close()
	})
}

func TestTransportRefusesEndedContextsAndBadRequests(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for want, req := range map[string]*http.Request{
		"context canceled": httptest.NewRequestWithContext(ctx, "GET", "http://x/", nil),
		"without URL":      {},
	} {
		closed := &closer{Reader: strings.NewReader("x")}
		req.Body = closed
		if _, err := w.Transport().RoundTrip(req); err == nil || !strings.Contains(err.Error(), want) || !closed.closed {
			t.Errorf("%s: %v, body closed: %t", want, err, closed.closed)
		}
	}
}

type closer struct {
	io.Reader
	closed bool
}

func (c *closer) Close() error { c.closed = true; return nil }

func TestTransportClientTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fault(Fault{Kind: Hang})
		w.client.Timeout = 5 * time.Second
		begun := time.Now()
		got := w.token()
		var timeout interface{ Timeout() bool }
		if !errors.As(got.Err, &timeout) || !timeout.Timeout() || time.Since(begun) != 5*time.Second {
			t.Errorf("after %v: %v", time.Since(begun), got.Err)
		}
	})
}
