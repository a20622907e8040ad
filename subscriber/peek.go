package subscriber

import (
	"io"
	"net/http"
	"sync/atomic"
)

// maxRefusal is how much of a reply, in bytes, is looked at for an errcode. WeChat's errors have a few hundred.
const maxRefusal = 4 << 10

// peekRefusal looks into the reply to a request of that method, of which nothing is lost. It returns the new body if that
// says that the token was refused, else nil.
func peekRefusal(resp *http.Response, method string) *peeked {
	if !mayRefuse(resp, method) {
		return nil
	}
	p := &peeked{body: resp.Body}
	resp.Body = p
	if !p.look() {
		return nil
	}
	return p
}

// mayRefuse tells whether a reply can be one of WeChat's errors, going by its head.
func mayRefuse(resp *http.Response, method string) bool {
	if resp.Body == nil || resp.Body == http.NoBody || method == http.MethodHead {
		return false
	}
	if resp.ContentLength == 0 || resp.ContentLength > maxRefusal || resp.Header.Get("Content-Encoding") != "" {
		return false
	}
	_, upgraded := resp.Body.(io.Writer)
	return !upgraded
}

// peeked is a body of which the head was read already.
type peeked struct {
	body   io.ReadCloser
	head   []byte // not yet handed on
	err    error  // what ended the reading, after head
	closed atomic.Bool
	scan   scan
	room   [512]byte // of head, while it is short
}

// look reads until the scan is decided.
func (p *peeked) look() (refused bool) {
	p.head = p.room[:0]
	for p.err == nil && len(p.head) < maxRefusal {
		if v := p.scan.feed(p.more()); v != undecided {
			return v == refusal
		}
	}
	return false
}

// more reads once.
func (p *peeked) more() []byte {
	if len(p.head) == cap(p.head) {
		p.head = append(make([]byte, 0, maxRefusal), p.head...)
	}
	had := len(p.head)
	n, err := p.body.Read(p.head[had:cap(p.head)])
	p.head, p.err = p.head[:had+n], err
	return p.head[had:]
}

// readOn reads what is left of a refusal, so that it stays whole however long a refresh takes, and its connection can
// take the replay.
func (p *peeked) readOn() {
	for p.err == nil && len(p.head) < maxRefusal {
		p.more()
	}
}

func (p *peeked) Read(b []byte) (int, error) {
	switch {
	case p.closed.Load():
		return 0, http.ErrBodyReadAfterClose
	case len(p.head) > 0:
		n := copy(b, p.head)
		p.head = p.head[n:]
		return n, nil
	case p.err != nil:
		return 0, p.err
	}
	return p.body.Read(b)
}

func (p *peeked) Close() error {
	p.closed.Store(true)
	return p.body.Close()
}
