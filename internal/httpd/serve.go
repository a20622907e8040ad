package httpd

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	headerTimeout = 10 * time.Second // for a request's head to come
	// idleTimeout is longer than clients commonly keep idle connections, so that they close them: a server that does may
	// meet a request that is on its way.
	idleTimeout = 5 * time.Minute
	// stallTimeout is how long a client may neither send nor read what is due, in the midst of a call.
	stallTimeout   = 2 * time.Minute
	maxHeaderBytes = 64 << 10
	// grace is what running calls have to end when the process is asked to. Kubernetes kills after 30 s.
	grace = 20 * time.Second
)

// Serve serves h on l until ctx ends. Then it takes no more calls and returns when the running ones have ended; those that
// take too long are cut off. It closes l. An error means that l failed.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           unstalled(h),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(patient{l}) }()
	select {
	case err := <-failed:
		return errors.Join(err, server.Close())
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		log.Warn("calls that don't end are cut off", "err", err)
		_ = server.Close() // of connections that are given up
	}
	<-failed
	return nil
}

// patient gives connections whose writes may wait for a slow reader, but not for one that reads nothing.
type patient struct{ net.Listener }

func (p patient) Accept() (net.Conn, error) {
	conn, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return patientConn{conn}, nil
}

type patientConn struct{ net.Conn }

func (c patientConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(stallTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// unstalled is h for requests whose body may come slowly, but not cease to come.
func unstalled(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &body{r.Body, http.NewResponseController(w)}
		}
		h.ServeHTTP(w, r)
	})
}

type body struct {
	io.ReadCloser
	conn *http.ResponseController
}

// Read takes the deadline back at once: it would end the call while the handler is at work.
func (b *body) Read(p []byte) (int, error) {
	if err := b.conn.SetReadDeadline(time.Now().Add(stallTimeout)); err != nil {
		return b.ReadCloser.Read(p) // no connection of net/http's server
	}
	n, err := b.ReadCloser.Read(p)
	_ = b.conn.SetReadDeadline(time.Time{}) // fails as reading will
	return n, err
}
