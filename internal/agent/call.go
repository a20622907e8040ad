package agent

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/wxtoken/wxtoken/internal/tokenquery"
)

// call is one request on its way through the agent.
type call struct {
	*Agent
	began   time.Time
	kind    string
	account *account // nil: it needs none
	outcome outcome
	status  int
	errcode int
	sent    atomic.Int32 // attempts at WeChat
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

func (g *Agent) serveCall(w http.ResponseWriter, r *http.Request) {
	c := &call{Agent: g, began: time.Now(), kind: kindProxy}
	g.metrics.running.Inc()
	defer c.end(r)
	if f := c.serve(w, r); f != nil {
		c.refuse(w, f)
	}
}

func (c *call) refuse(w http.ResponseWriter, f *refusal) {
	c.status, c.outcome, c.errcode = f.status, f.outcome, f.code
	f.write(w)
}

func (c *call) serve(w http.ResponseWriter, r *http.Request) *refusal {
	where := routeOf(r.URL.EscapedPath())
	switch {
	case r.URL.Host != "" || r.URL.Opaque != "" || r.Method == http.MethodConnect:
		return &refusal{http.StatusBadRequest, badRequest, codeInvalidURL, "send paths of WeChat's API, this is no proxy to other hosts"}
	case r.Method == http.MethodTrace:
		return &refusal{http.StatusMethodNotAllowed, badRequest, codeInvalidURL, "TRACE would show the token"}
	case where == routeOdd:
		return &refusal{http.StatusBadRequest, badRequest, codeInvalidURL, "this path is none of WeChat's API: letters, digits and - _ . ~ between single slashes"}
	case where == routeSecret:
		return &refusal{http.StatusForbidden, badRequest, codeInvalidURL, "tokens are given out at " + pathToken + " and " + pathStable + " only, written so; third-party platforms call WeChat themselves"}
	case where == routeToken:
		return c.giveToken(w, r)
	case where == routeStable:
		return c.giveStable(w, r)
	}
	return c.forward(w, r, where)
}

// forward sends the call on to WeChat.
func (c *call) forward(w http.ResponseWriter, r *http.Request, where route) *refusal {
	carried, other := tokenquery.Find(r.URL.RawQuery)
	if where == routeAPI && !other {
		a, f := c.choose(r, carried)
		if f != nil {
			return f
		}
		c.account = a
		if a.opened.Load() == nil {
			return tokenless(a.problem())
		}
	}
	if f := keepShortBody(r); f != nil {
		return f
	}
	if c.account != nil && longBody(r) {
		c.prove(r.Context())
	}
	c.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callKey{}, c)))
	return nil
}

// maxKept is the longest body, in bytes, that is kept to be sent again.
const maxKept = 64 << 10

func longBody(r *http.Request) bool { return r.ContentLength < 0 || r.ContentLength > maxKept }

// keepShortBody reads a short body, so that it can be sent again: after a refusal, and on another connection when WeChat
// closed an idle one just now.
func keepShortBody(r *http.Request) *refusal {
	if r.ContentLength == 0 || r.ContentLength > maxKept || len(r.Trailer) > 0 {
		return nil
	}
	r.Header.Del("Expect") // it is met here
	most := r.ContentLength
	if most < 0 {
		most = maxKept + 1
	}
	var data bytes.Buffer
	n, err := io.CopyN(&data, r.Body, most)
	switch {
	case err != nil && (err != io.EOF || r.ContentLength > 0):
		return &refusal{http.StatusBadRequest, clientGone, codeBusy, "the request's body did not come whole"}
	case n > maxKept:
		r.Body = joined{io.MultiReader(&data, r.Body), r.Body}
		return nil
	}
	r.ContentLength, r.TransferEncoding = n, nil
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data.Bytes())), nil }
	r.Body, _ = r.GetBody()
	return nil
}

// joined is a body of which the beginning was read already.
type joined struct {
	io.Reader
	io.Closer
}

// end counts and logs the call, also one that panics because its client left.
func (c *call) end(r *http.Request) {
	c.metrics.running.Dec()
	switch {
	case c.outcome == "":
		c.outcome = clientGone
	case c.outcome == fine && r.Context().Err() != nil:
		c.outcome = cutOff
	}
	took := time.Since(c.began)
	attempts := c.sent.Load()
	c.metrics.called(c.kind, c.outcome, took, attempts)
	level := c.level()
	if !c.log.Enabled(r.Context(), level) {
		return
	}
	c.log.LogAttrs(r.Context(), level, "call", slog.String("method", shortened(r.Method, 16)), slog.String("path", pathForLog(r)),
		slog.String("appid", c.appid()), slog.String("outcome", string(c.outcome)), slog.Int("status", c.status),
		slog.Int("errcode", c.errcode), slog.Int("attempts", int(attempts)), slog.Duration("took", took))
}

// level is warn for calls that failed here or at WeChat, once a second at most, and debug for all others.
func (c *call) level() slog.Level {
	now := c.began.Unix()
	if c.status >= http.StatusInternalServerError && c.warned.Swap(now) != now {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func (c *call) appid() string {
	if c.account == nil {
		return ""
	}
	return c.account.appid
}

// pathForLog shows no path that isn't WeChat's: it may be anything.
func pathForLog(r *http.Request) string {
	if routeOf(r.URL.EscapedPath()) == routeOdd {
		return "(odd)"
	}
	return shortened(r.URL.Path, 128)
}

func shortened(s string, most int) string { return s[:min(len(s), most)] }
