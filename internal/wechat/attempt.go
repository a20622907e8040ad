package wechat

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// maxReply bounds what is read of a reply: a hundred times what WeChat sends.
const maxReply = 64 << 10

// call is what Mint and Check want to have sent.
type call struct {
	op, method, path string
	query            url.Values
	body             []byte
	hide, alsoHide   secret.String     // what no error may show
	complete         func(reply) error // is a reply without an error code what was asked for?
}

// answer is a good reply.
type answer struct {
	reply
	sentAt time.Time // just before the request was sent
}

// do makes one attempt at the host whose turn it is, and remembers how that host did.
func (c *Client) do(ctx context.Context, cl call) (answer, error) {
	if ctx.Err() != nil {
		return answer{}, ctxEnded(ctx, cl)
	}
	turn := c.hosts.next(time.Now())
	ans, e := c.attempt(ctx, turn.base, cl)
	if e == nil {
		c.hosts.worked(turn)
		return ans, nil
	}
	switch {
	case e.Code != 0:
		c.hosts.worked(turn)
	case ctx.Err() != context.Canceled: // a caller who gives up says nothing about the host; one whose deadline passes does
		c.hosts.failed(turn, time.Now())
	}
	return answer{}, e
}

func (c *Client) attempt(ctx context.Context, base *url.URL, cl call) (answer, *Error) {
	attemptCtx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var seen trace
	req := cl.request(seen.attach(attemptCtx), base)

	fault := func(err error) (answer, *Error) {
		return answer{}, newFault(ctx, cl, base.Host, err, seen.unsent(err))
	}
	sentAt := time.Now()
	resp, err := c.transport.RoundTrip(req) // not an http.Client: that follows redirects and quotes URLs in errors
	if err != nil {
		return fault(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return fault(err)
	}
	r, err := parseReply(body)
	if err == nil && r.code != 0 {
		return answer{}, newRefusal(cl, base.Host, r)
	}
	if err == nil {
		err = cl.complete(r)
	}
	if err != nil {
		return answer{}, newBadReply(cl, base.Host, resp.StatusCode, err)
	}
	return answer{r, sentAt}, nil
}

// request is put together by hand: http.NewRequest returns errors that quote the URL.
func (cl call) request(ctx context.Context, base *url.URL) *http.Request {
	target := base.JoinPath(cl.path)
	target.RawQuery = cl.query.Encode()
	req := &http.Request{
		Method: cl.method,
		URL:    target,
		Host:   target.Host,
		Header: http.Header{"User-Agent": {"wxtoken"}},
	}
	if cl.body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Body = io.NopCloser(bytes.NewReader(cl.body)) // and no GetBody: it can't be sent twice
		req.ContentLength = int64(len(cl.body))
	}
	return req.WithContext(ctx)
}

// trace notes whether a request can have left: it needs a connection for that.
type trace struct{ wanted, got atomic.Bool }

func (t *trace) attach(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { t.wanted.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { t.got.Store(true) },
	})
}

// unsent tells whether the request that ended in err surely was not sent. A transport that reports no connections is
// believed when its error says that it got none.
func (t *trace) unsent(err error) bool {
	if t.got.Load() {
		return false
	}
	return t.wanted.Load() || noConnection(err)
}
