package subscriber

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Every kind of body, sent with a token that is refused: does the server get the whole of it the second time?
func TestTransportReplaysBodies(t *testing.T) {
	small, large := bytes.Repeat([]byte("s"), maxKept), bytes.Repeat([]byte("l"), maxKept+1)
	failing := func() (io.ReadCloser, error) { return nil, errors.New("no more") }
	cases := []struct {
		name    string
		body    func() io.Reader
		adapt   func(*http.Request)
		want    int // bytes that arrive the last time
		replays bool
	}{
		{"none", func() io.Reader { return nil }, nil, 0, true},
		{"NoBody", func() io.Reader { return http.NoBody }, nil, 0, true},
		{"GetBody", func() io.Reader { return bytes.NewReader(large) }, nil, len(large), true},
		{"failing GetBody", func() io.Reader { return bytes.NewReader(small) }, func(r *http.Request) { r.GetBody = failing }, 0, false},
		{"short of known length", func() io.Reader { return io.MultiReader(bytes.NewReader(small)) },
			func(r *http.Request) { r.ContentLength = int64(len(small)) }, len(small), true},
		{"short of unknown length", func() io.Reader { return io.MultiReader(bytes.NewReader(small)) }, nil, len(small), true},
		{"long of known length", func() io.Reader { return io.MultiReader(bytes.NewReader(large)) },
			func(r *http.Request) { r.ContentLength = int64(len(large)) }, 0, false},
		{"long of unknown length", func() io.Reader { return io.MultiReader(bytes.NewReader(large)) }, nil, 0, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			withAPI(t, func(t *testing.T, a *apiWorld) {
				a.revoke()
				var arrived int
				a.wire.before = func(n int, req *http.Request) {
					arrived = 0
					if req.Body != nil && req.Body != http.NoBody {
						req.Body = countingReader{req.Body, &arrived}
					}
				}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, apiURL+"/cgi-bin/menu/create", c.body())
				if err != nil {
					t.Fatal(err)
				}
				if c.adapt != nil {
					c.adapt(req)
				}
				if c.replays {
					a.do(req, 0)
					if n := a.wire.sent(t); n != 2 || arrived != c.want {
						t.Errorf("%d requests, the last with %d bytes", n, arrived)
					}
					return
				}
				a.do(req, 40001)
				if n := a.wire.sent(t); n != 1 || a.asked.requests.Load() != 1 {
					t.Errorf("%d requests, %d refresh requests", n, a.asked.requests.Load())
				}
				a.get(t.Context(), "/cgi-bin/user/info?openid=o1", 0) // the caller's own next try
				if n := a.wire.sent(t); n != 1 {
					t.Errorf("the next try: %d requests", n)
				}
			})
		})
	}
}

// Of a body whose length is known base need not read the end.
func TestRecorder(t *testing.T) {
	for _, c := range []struct {
		length     int64
		read, sent int
		whole      bool
	}{{4, 4, 4, true}, {4, 3, 4, false}, {-1, 4, 4, false}, {-1, 5, 4, true}, {0, 1, 0, true}, {4, 5, 3, true}, {-1, maxKept + 1, maxKept, true},
		{-1, maxKept + 2, maxKept + 1, false}} {
		body := &recorder{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("x", c.sent))), length: c.length}
		_, _ = io.ReadFull(body, make([]byte, c.read))
		if data, whole := body.all(); whole != c.whole || whole && len(data) != c.sent {
			t.Errorf("%+v: %d bytes, %v", c, len(data), whole)
		}
	}
}

type countingReader struct {
	io.ReadCloser
	n *int
}

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	*r.n += n
	return n, err
}
