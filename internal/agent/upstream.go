package agent

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// headerTimeout is how long WeChat may take to answer what was sent whole.
	headerTimeout = time.Minute
	// stallTimeout is how long a connection in use may move no byte in either direction.
	stallTimeout = 2 * time.Minute
	// idleTimeout is shorter than servers commonly have it, so that they don't close what we are about to use.
	idleTimeout = 45 * time.Second
	maxIdle     = 256
	// detour is how long a host that couldn't be reached is tried last.
	detour = time.Minute
)

// upstream sends requests for the first API host to the first one that a connection can be made to.
type upstream struct {
	bases     []*url.URL
	transport *http.Transport
	preferred atomic.Int32
	until     atomic.Int64 // when the first is preferred again, Unix nanoseconds
}

func newUpstream(bases []*url.URL) *upstream {
	dialer := &net.Dialer{Timeout: dialTimeout}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &upstream{bases: bases, transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return moving{conn}, nil
		},
		Protocols:             protocols,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: headerTimeout,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       idleTimeout,
		MaxIdleConnsPerHost:   maxIdle,
		DisableCompression:    true,
		WriteBufferSize:       16 << 10,
		ReadBufferSize:        16 << 10,
	}}
}

// moving is a connection that fails when no byte moves for stallTimeout. What is sent counts for what is awaited, too: a
// reply may come only after a long upload.
type moving struct{ net.Conn }

func (c moving) Read(b []byte) (int, error) {
	_ = c.SetReadDeadline(time.Now().Add(stallTimeout)) // Read tells if that fails
	return c.Conn.Read(b)
}

func (c moving) Write(b []byte) (int, error) {
	_ = c.SetDeadline(time.Now().Add(stallTimeout)) // likewise
	return c.Conn.Write(b)
}

// RoundTrip sends r to the preferred host, and to the next ones while no connection can be made, which means that nothing
// was sent.
func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	if c := callOf(r.Context()); c != nil {
		c.sent.Add(1)
	}
	r = inMemory(r)
	if len(u.bases) == 1 {
		return u.transport.RoundTrip(r)
	}
	first := u.first()
	for i := 0; ; i++ {
		now := (first + i) % len(u.bases)
		resp, connected, err := u.try(r, now)
		switch {
		case err == nil && i > 0:
			u.prefer(now)
			return resp, nil
		case err == nil || connected:
			return resp, err
		case i+1 == len(u.bases) || r.Context().Err() != nil:
			if r.Body != nil {
				r.Body.Close() // no transport did
			}
			return nil, err
		}
	}
}

// inMemory is r with its body, if that is kept, as net/http knows it to be in memory: then head and body leave in one
// write, and if that fails on an idle connection which WeChat just closed, net/http takes another one.
func inMemory(r *http.Request) *http.Request {
	if r.GetBody == nil || r.Body == nil {
		return r
	}
	body, err := r.GetBody()
	if err != nil {
		return r
	}
	r.Body.Close() // it is kept elsewhere
	out := *r
	out.Body = body
	return &out
}

// CloseIdleConnections closes those that no call uses.
func (u *upstream) CloseIdleConnections() { u.transport.CloseIdleConnections() }

func (u *upstream) first() int {
	if u.preferred.Load() != 0 && time.Now().UnixNano() > u.until.Load() {
		u.preferred.Store(0)
	}
	return int(u.preferred.Load())
}

func (u *upstream) prefer(i int) {
	u.until.Store(time.Now().Add(detour).UnixNano())
	u.preferred.Store(int32(i))
}

// try sends r to one host, and tells whether a connection was had.
func (u *upstream) try(r *http.Request, i int) (resp *http.Response, connected bool, err error) {
	var had atomic.Bool
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { had.Store(true) }})
	out := r.WithContext(ctx)
	out.URL, out.Host = rebased(r.URL, u.bases[0], u.bases[i]), "" // that of the URL, not of the first base
	switch {
	case r.GetBody != nil:
		if out.Body, err = r.GetBody(); err != nil {
			return nil, false, err
		}
	case r.Body != nil && r.Body != http.NoBody:
		out.Body = &heldOpen{Reader: r.Body, closer: r.Body, connected: &had}
	}
	resp, err = u.transport.RoundTrip(out)
	return resp, had.Load(), err
}

// rebased is u under another base.
func rebased(u, from, to *url.URL) *url.URL {
	moved := *u
	moved.Scheme, moved.Host = to.Scheme, to.Host
	moved.Path = strings.TrimSuffix(to.Path, "/") + strings.TrimPrefix(u.Path, strings.TrimSuffix(from.Path, "/"))
	return &moved
}

// heldOpen is a body that a transport which has made no connection doesn't close.
type heldOpen struct {
	io.Reader
	closer    io.Closer
	connected *atomic.Bool
}

func (h *heldOpen) Close() error {
	if h.connected.Load() {
		return h.closer.Close()
	}
	return nil
}
