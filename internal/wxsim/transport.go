package wxsim

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
)

// Transport calls the simulator in this process, whatever host the URL names. Bodies stream in both directions; the
// end of the request's context ends the call on both sides; a cut connection is io.ErrUnexpectedEOF. It works in
// testing/synctest bubbles, and leaves no goroutine once the response's body is read to its end or closed, or the
// context has ended. The calls come from 127.0.0.1:1.
func (s *Server) Transport() http.RoundTripper { return s.TransportFrom("127.0.0.1:1") }

// TransportFrom is Transport for calls that come from remoteAddr, an "ip:port".
func (s *Server) TransportFrom(remoteAddr string) http.RoundTripper {
	return transport{handler: s, remoteAddr: remoteAddr}
}

type transport struct {
	handler    http.Handler
	remoteAddr string
}

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	body := &requestBody{body: req.Body}
	if req.URL == nil {
		body.Close()
		return nil, fmt.Errorf("simulator: request without URL")
	}
	if err := req.Context().Err(); err != nil {
		body.Close()
		return nil, context.Cause(req.Context())
	}
	ctx, cancel := context.WithCancel(req.Context())
	pr, pw := io.Pipe()
	w := &responseWriter{header: make(http.Header), pipe: pw, ready: make(chan struct{}), head: req.Method == http.MethodHead}
	go t.serve(ctx, cancel, w, t.received(req, ctx, body), body)
	select {
	case <-w.ready:
	case <-ctx.Done():
	}
	return w.response(req, ctx, &responseBody{pr, cancel})
}

// received is the request as a server sees it.
func (t transport) received(req *http.Request, ctx context.Context, body *requestBody) *http.Request {
	in := req.Clone(ctx)
	in.URL = &url.URL{Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery}
	in.RequestURI = req.URL.RequestURI()
	in.Host = orDefault(req.Host, req.URL.Host)
	in.Method = orDefault(req.Method, http.MethodGet)
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	in.RemoteAddr = t.remoteAddr
	in.Body = body
	if req.Body == nil {
		in.Body = http.NoBody
	}
	if in.ContentLength == 0 && req.Body != nil && req.Body != http.NoBody {
		in.ContentLength = -1 // unknown, which a client writes as 0
	}
	return in
}

func (t transport) serve(ctx context.Context, cancel func(), w *responseWriter, in *http.Request, body *requestBody) {
	defer cancel()
	defer body.Close()
	stop := context.AfterFunc(ctx, func() {
		w.pipe.CloseWithError(context.Cause(ctx))
		body.Close() // wakes a handler that reads
	})
	defer stop()
	defer func() {
		switch p := recover(); {
		case p != nil && p != http.ErrAbortHandler:
			panic(p)
		case ctx.Err() != nil: // why the handler gave up, most likely: what it wrote may not be all
			w.finish(context.Cause(ctx))
		case p != nil:
			w.finish(io.ErrUnexpectedEOF)
		default:
			w.finish(nil)
		}
	}()
	t.handler.ServeHTTP(w, in)
}

// requestBody closes once, whoever is first: the handler, the end of the call or the end of the context.
type requestBody struct {
	body io.ReadCloser
	once sync.Once
	err  error
}

func (b *requestBody) Read(p []byte) (int, error) { return b.body.Read(p) }

func (b *requestBody) Close() error {
	b.once.Do(func() {
		if b.body != nil {
			b.err = b.body.Close()
		}
	})
	return b.err
}

// responseBody ends the call when it is closed.
type responseBody struct {
	*io.PipeReader
	cancel func()
}

func (b *responseBody) Close() error {
	err := b.PipeReader.Close()
	b.cancel()
	return err
}

// responseWriter hands the head of the answer over once, and then the body through a pipe.
type responseWriter struct {
	header http.Header
	pipe   *io.PipeWriter
	head   bool // HEAD: no body

	once   sync.Once
	ready  chan struct{} // closed when what follows stands
	status int           // 0: the connection was cut
	sent   http.Header
}

func (w *responseWriter) Header() http.Header { return w.header }

func (w *responseWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.ready)
	})
}

func (w *responseWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.head {
		return len(p), nil
	}
	return w.pipe.Write(p)
}

// Flush does what a server's does; nothing waits in buffers here.
func (w *responseWriter) Flush() { w.WriteHeader(http.StatusOK) }

// finish ends the answer: as it should, or as a connection that was cut.
func (w *responseWriter) finish(err error) {
	if err == nil {
		w.WriteHeader(http.StatusOK)
	} else {
		w.once.Do(func() { close(w.ready) })
	}
	w.pipe.CloseWithError(err)
}

func (w *responseWriter) response(req *http.Request, ctx context.Context, body *responseBody) (*http.Response, error) {
	select {
	case <-w.ready:
	default:
		body.Close()
		return nil, context.Cause(ctx)
	}
	if w.status == 0 {
		body.Close()
		if err := req.Context().Err(); err != nil {
			return nil, context.Cause(req.Context())
		}
		return nil, io.ErrUnexpectedEOF
	}
	length, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64)
	if err != nil {
		length = -1
	}
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)),
		StatusCode: w.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        w.sent,
		Body:          body,
		ContentLength: length,
		Request:       req,
	}, nil
}
