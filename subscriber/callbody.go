package subscriber

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// maxKept is the longest body, in bytes, that is kept in memory to be sent once more.
const maxKept = 64 << 10

func (c *call) closeBody() {
	if c.req.Body != nil {
		c.req.Body.Close()
	}
}

func (c *call) bodiless() bool { return c.req.Body == nil || c.req.Body == http.NoBody }

// firstBody is the request's, kept while base reads it if there is no other way to have it again.
func (c *call) firstBody() io.ReadCloser {
	length := c.req.ContentLength
	if c.bodiless() || c.req.GetBody != nil || length > maxKept {
		return c.req.Body
	}
	c.kept = &recorder{ReadCloser: c.req.Body, length: length}
	return c.kept
}

// bodyAgain is the body for a replay, if it can be had.
func (c *call) bodyAgain() (body io.ReadCloser, again bool) {
	switch {
	case c.bodiless():
		return c.req.Body, true
	case c.req.GetBody != nil:
		body, err := c.req.GetBody()
		return body, err == nil
	case c.kept != nil:
		data, whole := c.kept.all()
		return io.NopCloser(bytes.NewReader(data)), whole
	}
	return nil, false
}

// recorder keeps what is read of a body, as long as that is not more than maxKept. It waits for nothing, so a body may
// still come while it is sent. Base may read it in a goroutine of its own, and even after it gave the reply.
type recorder struct {
	io.ReadCloser
	length int64 // what the body is said to have; 0 and -1: unknown

	mu    sync.Mutex
	data  []byte
	ended bool
	long  bool // too long to be kept
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = r.ended || err == io.EOF
	if r.long = r.long || len(r.data)+n > maxKept; r.long {
		r.data = nil
		return n, err
	}
	if r.data == nil {
		r.data = make([]byte, 0, max(r.length, 512))
	}
	r.data = append(r.data, p[:n]...)
	return n, err
}

// all is the body, if it was read whole. Base need not read to the end of a body whose length it knows.
func (r *recorder) all() (data []byte, whole bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.data, !r.long && (r.ended || r.length > 0 && int64(len(r.data)) == r.length)
}
