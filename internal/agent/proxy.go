package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/wxtoken/wxtoken/internal/tokenquery"
	"github.com/wxtoken/wxtoken/subscriber"
)

func (g *Agent) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:        g.rewrite,
		Transport:      byAccount{g.upstream},
		ModifyResponse: g.receive,
		ErrorHandler:   answerError,
		ErrorLog:       log.New(io.Discard, "", 0), // each call is logged when it ends
		BufferPool:     &buffers{},
	}
}

// notForWeChat are headers that are between the client and the agent. Without Accept-Encoding WeChat's replies come as
// they are, so that refusals are seen in them.
var notForWeChat = []string{appIDHeader, "Accept-Encoding", "Connection", "Upgrade", "Origin", "Referer", "Cookie"}

// rewrite makes what goes to WeChat of what the client sent. The account's transport adds the token.
func (g *Agent) rewrite(r *httputil.ProxyRequest) {
	base := g.bases[0]
	r.Out.URL = &url.URL{
		Scheme:   base.Scheme,
		Host:     base.Host,
		Path:     strings.TrimSuffix(base.Path, "/") + r.In.URL.Path,
		RawQuery: r.In.URL.RawQuery,
	}
	r.Out.Host = ""
	r.Out.Trailer = r.In.Trailer // which is filled when the body has been read
	for _, name := range notForWeChat {
		r.Out.Header.Del(name)
	}
	if callOf(r.In.Context()).account != nil {
		r.Out.URL.RawQuery = tokenquery.Remove(r.In.URL.RawQuery)
	}
}

// byAccount sends a call with its account's token.
type byAccount struct{ upstream http.RoundTripper }

func (b byAccount) RoundTrip(r *http.Request) (*http.Response, error) {
	if a := callOf(r.Context()).account; a != nil {
		return a.opened.Load().transport.RoundTrip(r)
	}
	return b.upstream.RoundTrip(r)
}

// receive makes what goes to the client of WeChat's reply. A status that can't end a call can't be passed on: 010, for one,
// or a 101 that nobody asked for.
func (g *Agent) receive(resp *http.Response) error {
	if resp.StatusCode < http.StatusOK {
		return fmt.Errorf("its status is %03d", resp.StatusCode)
	}
	c := callOf(resp.Request.Context())
	var tokens []string
	if c.account != nil {
		tokens = c.account.tokens()
	}
	g.cleanHeader(resp.Header, tokens)
	redact(resp.Trailer, tokens) // as far as it is announced
	c.status = resp.StatusCode
	resp.Body = &reply{body: resp.Body, call: c, tokens: tokens, ended: func() { redact(resp.Trailer, tokens) }}
	return nil
}

// notForClients are headers that are about WeChat's host, or for browsers.
var notForClients = []string{"Alt-Svc", "Strict-Transport-Security", "Set-Cookie"}

func (g *Agent) cleanHeader(h http.Header, tokens []string) {
	for _, name := range notForClients {
		h.Del(name)
	}
	if location := h.Get("Location"); location != "" {
		h.Set("Location", g.relocated(location))
	}
	maps.DeleteFunc(h, func(name string, _ []string) bool { return strings.HasPrefix(name, "Access-Control-") })
	redact(h, tokens)
}

// redact takes the tokens out of a header, or a trailer.
func redact(h http.Header, tokens []string) {
	shows := func(text string) bool {
		return slices.ContainsFunc(tokens, func(token string) bool { return strings.Contains(text, token) })
	}
	for name, values := range h {
		if shows(name) {
			delete(h, name)
			continue
		}
		for i, value := range values {
			if shows(value) {
				values[i] = "[redacted]"
			}
		}
	}
}

// relocated is where a redirect leads, without a token: to the agent itself where it led to the API.
func (g *Agent) relocated(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return "[redacted]"
	}
	u.RawQuery = tokenquery.Remove(u.RawQuery)
	for _, base := range g.bases {
		path, under := underBase(u.Path, base.Path)
		if under && strings.EqualFold(u.Host, base.Host) {
			return (&url.URL{Path: path, RawQuery: u.RawQuery, Fragment: u.Fragment}).String()
		}
	}
	return u.String()
}

// underBase is path as seen from base. It begins with a single slash: after two, a browser would read a host.
func underBase(path, base string) (rest string, under bool) {
	rest, under = strings.CutPrefix(path, strings.TrimSuffix(base, "/"))
	return "/" + strings.TrimLeft(rest, "/"), under && (rest == "" || rest[0] == '/')
}

// answerError answers in the place of a WeChat that gave no reply.
func answerError(w http.ResponseWriter, r *http.Request, err error) {
	c := callOf(r.Context())
	if r.Context().Err() != nil {
		c.outcome, c.status = clientGone, 499 // as nginx has it; nobody reads it
		panic(http.ErrAbortHandler)
	}
	c.refuse(w, failure(err))
}

func failure(err error) *refusal {
	var netErr net.Error
	switch {
	case errors.Is(err, subscriber.ErrExpired), errors.Is(err, subscriber.ErrClosed):
		return tokenless(err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return &refusal{http.StatusGatewayTimeout, timedOut, codeBusy, "WeChat does not answer: " + err.Error()}
	}
	return &refusal{http.StatusBadGateway, unreachable, codeBusy, "no reply from WeChat: " + err.Error()}
}

// buffers are those that bodies are copied with.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buf[:]
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(buf []byte) { b.pool.Put((*[bufferSize]byte)(buf)) }
