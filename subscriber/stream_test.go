package subscriber

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/tokenquery"
)

// serve runs an API over real sockets, and returns a client of it that has the token.
func serve(t testing.TB, api http.HandlerFunc) (client *http.Client, url string, connections *atomic.Int64) {
	t.Helper()
	connections = new(atomic.Int64)
	server := httptest.NewUnstartedServer(api)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	src := holding("84_token", WithAPIHosts(strings.TrimPrefix(server.URL, "http://")))
	return &http.Client{Transport: src.Transport(base)}, server.URL, connections
}

// The server goes on only when the client has the reply: a Transport that waited for more would never get it.
func TestTransportStreamsReplies(t *testing.T) {
	leaveFakeTime()
	for _, first := range []string{"\x89PNG", "<", "data: 1\n\n", `{"items":[`, `{"data":{`, `{"errcode":0,`, `{"errcode":45009,"errmsg":`, `{"a":1}`} {
		goOn := make(chan struct{})
		client, url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, first)
			w.(http.Flusher).Flush()
			select {
			case <-goOn:
				_, _ = io.WriteString(w, "rest")
			case <-r.Context().Done():
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		resp, err := client.Do(must(http.NewRequestWithContext(ctx, http.MethodGet, url+"/cgi-bin/x", nil)))
		if err != nil {
			t.Fatal(err)
		}
		close(goOn)
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != first+"rest" {
			t.Errorf("%q: %q, %v", first, body, err)
		}
		resp.Body.Close()
		cancel()
	}
}

// A refused call and its replay share a connection, and what comes with the end of a reply comes.
func TestTransportKeepsConnectionsAndTrailers(t *testing.T) {
	leaveFakeTime()
	client, url, connections := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-End")
		_, _ = io.WriteString(w, `{"errcode":4`)
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, map[bool]string{true: `5009}`, false: `0001}`}[r.URL.Query().Get(tokenquery.Param) == "84_token"])
		w.Header().Set("X-End", "yes")
	})
	for range 3 {
		resp, err := client.Get(url + "/cgi-bin/x?access_token=stale")
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != `{"errcode":45009}` {
			t.Errorf("%q, %v", body, err)
		}
		if resp.Body.Close(); resp.Trailer.Get("X-End") != "yes" {
			t.Errorf("trailer %v", resp.Trailer)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// bulk is how many bytes go through in the tests of large bodies.
func bulk() int64 {
	if testing.Short() {
		return 32 << 20
	}
	return 256 << 20
}

// noise is n bytes that are the same each time.
func noise(n int64) io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{7}), n) }

func sumOf(t *testing.T, r io.Reader) (sum string, n int64) {
	t.Helper()
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err != nil {
		t.Error(err)
	}
	return string(h.Sum(nil)), n
}

// allocated is how many bytes f allocates, what is freed at once included: more than it can ever hold.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// mostAllocated bounds what a large body may cost in memory, client and server together.
const mostAllocated = 2 << 20

func TestTransportStreamsLargeDownloads(t *testing.T) {
	leaveFakeTime()
	size := bulk()
	for _, chunked := range []bool{false, true} {
		client, url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if !chunked {
				w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
			}
			_, _ = io.Copy(w, noise(size))
		})
		wantSum, _ := sumOf(t, noise(size))
		var sum string
		cost := allocated(func() {
			resp, err := client.Get(url + "/cgi-bin/media/get")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			sum, _ = sumOf(t, resp.Body)
		})
		if sum != wantSum || cost > mostAllocated {
			t.Errorf("chunked %v: the bytes are the same: %v; %d bytes allocated", chunked, sum == wantSum, cost)
		}
	}
}

func TestTransportStreamsLargeUploads(t *testing.T) {
	leaveFakeTime()
	size := bulk()
	arrived := make(chan string, 1)
	client, url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		sum, _ := sumOf(t, r.Body)
		arrived <- sum
		_, _ = io.WriteString(w, `{"errcode":0}`)
	})
	for _, length := range []int64{size, -1} {
		h := sha256.New()
		cost := allocated(func() {
			req := must(http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/cgi-bin/media/upload", hashing{noise(size), h}))
			req.ContentLength = length
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		})
		if same := <-arrived == string(h.Sum(nil)); !same || cost > mostAllocated {
			t.Errorf("length %d: the bytes are the same: %v; %d bytes allocated", length, same, cost)
		}
	}
}

type hashing struct {
	io.Reader
	h hash.Hash
}

func (r hashing) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.h.Write(p[:n])
	return n, err
}
