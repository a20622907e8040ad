package httpd

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener within the process, for fake time.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	conn, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// cutOff runs what a client does, in fake time, and returns when it was cut off. result is made in the bubble.
func cutOff(t *testing.T, h func(w http.ResponseWriter, r *http.Request, result chan any), client func(near net.Conn, result chan any)) (after time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		result := make(chan any, 1)
		l := make(pipes, 1)
		near, far := net.Pipe()
		l <- far
		ctx, cancel := context.WithCancel(t.Context())
		var serving sync.WaitGroup
		serving.Go(func() {
			_ = Serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h(w, r, result) }), slog.New(slog.DiscardHandler))
		})
		began := time.Now()
		client(near, result)
		after = time.Since(began)
		near.Close()
		cancel()
		close(l)
		serving.Wait()
	})
	return after
}

func TestAClientThatNeverReadsIsCutOff(t *testing.T) {
	h := func(w http.ResponseWriter, _ *http.Request, result chan any) {
		began := time.Now()
		for {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				result <- time.Since(began)
				return
			}
		}
	}
	cutOff(t, h, func(conn net.Conn, result chan any) {
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if got := <-result; got != stallTimeout {
			t.Errorf("after %v", got)
		}
	})
}

func TestAClientThatStopsSendingIsCutOff(t *testing.T) {
	h := func(_ http.ResponseWriter, r *http.Request, result chan any) {
		_, err := io.Copy(io.Discard, r.Body)
		result <- err
	}
	after := cutOff(t, h, func(conn net.Conn, result chan any) {
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
		for range 600 { // one byte a second is slow, but something
			time.Sleep(time.Second)
			if _, err := conn.Write([]byte("x")); err != nil {
				t.Errorf("a slow client: %v", err)
			}
		}
		if err := <-result; err == nil {
			t.Error("the body ended well")
		}
	})
	if want := 10*time.Minute + stallTimeout; after != want {
		t.Errorf("after %v, want %v", after, want)
	}
}

func TestAClientWithoutAHeadIsCutOff(t *testing.T) {
	after := cutOff(t, func(http.ResponseWriter, *http.Request, chan any) {}, func(conn net.Conn, _ chan any) {
		_, _ = io.WriteString(conn, "GET / HT")
		_, _ = io.Copy(io.Discard, conn)
	})
	if after != headerTimeout {
		t.Errorf("after %v", after)
	}
}

// A deadline that was left from reading the body ended calls that took their time to answer.
func TestALongAnswerAfterABody(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request, _ chan any) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
			w.WriteHeader(http.StatusTeapot)
		case <-time.After(time.Hour):
		}
	}
	cutOff(t, h, func(conn net.Conn, _ chan any) {
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
		data, _ := io.ReadAll(conn)
		if !strings.HasPrefix(string(data), "HTTP/1.1 200") {
			t.Errorf("got %q", data)
		}
	})
}
