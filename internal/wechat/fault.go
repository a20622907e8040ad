package wechat

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// fault stands for an error of net/http, which may quote the URL that was called (in a *url.Error) or the reply that
// it could not read, secrets and all. It keeps a text that is safe to show, and of the causes those that are.
type fault struct {
	text   string
	causes []error
}

func (f *fault) Error() string   { return f.text }
func (f *fault) Unwrap() []error { return f.causes }

// newCause makes a fault of err. ctx is the caller's: if it has ended, then that is the cause, even where net/http
// names the reason that was given for the end (context.Cause).
func newCause(ctx context.Context, err error, unsent bool, hide ...secret.String) *fault {
	causes := safeCauses(err)
	if ended := ctx.Err(); ended != nil && !slices.Contains(causes, ended) {
		causes = append(causes, ended)
	}
	causes = slices.DeleteFunc(causes, func(c error) bool { return mentions(c.Error(), hide) })
	return &fault{show(describe(ctx, err, unsent), hide...), causes}
}

// describe returns the text of err where that cannot be a quotation of the reply.
func describe(ctx context.Context, err error, unsent bool) string {
	opErr, isOp := errors.AsType[*net.OpError](err)
	switch {
	case ctx.Err() != nil:
		return "the caller gave up: " + ctx.Err().Error()
	case errors.Is(err, context.DeadlineExceeded) && unsent:
		return "no connection within the timeout"
	case unsent && errors.Is(err, io.EOF):
		return "the connection was closed before the request was sent"
	case unsent:
		return withoutURL(err).Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "no reply within the timeout"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the end of the reply"
	case isOp:
		return opErr.Error()
	}
	return "no reply that is HTTP"
}

// withoutURL returns what is inside the innermost *url.Error of err, or err.
func withoutURL(err error) error {
	for {
		u, ok := errors.AsType[*url.Error](err)
		if !ok || u.Err == nil {
			return err
		}
		err = u.Err
	}
}

// safeCauses are new or constant errors, or made of certificates: nothing in them is a URL or from a reply.
func safeCauses(err error) (causes []error) {
	for _, sentinel := range []error{context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, sentinel) {
			causes = append(causes, sentinel)
		}
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		causes = append(causes, e)
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		clone := *e
		clone.UnwrapErr = nil
		causes = append(causes, &clone)
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		causes = append(causes, e)
	}
	if timedOut(err) && !slices.Contains(causes, context.DeadlineExceeded) {
		causes = append(causes, context.DeadlineExceeded)
	}
	return causes
}

func timedOut(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// noConnection tells whether err can only come from before there was a connection.
func noConnection(err error) bool {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	e, ok := errors.AsType[*net.OpError](err)
	return ok && strings.HasPrefix(e.Op, "dial")
}
