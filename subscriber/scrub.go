package subscriber

import (
	"errors"
	"net/url"
	"strings"
)

const hidden = "[redacted]"

// scrub is err without token in its text or in anything that it wraps. What shows no token stays the same error, so that
// errors.Is and errors.As find it.
func scrub(err error, token string) error {
	if err == nil || token == "" || !shows(err, token) {
		return err
	}
	if u, ok := err.(*url.Error); ok {
		return &url.Error{Op: u.Op, URL: hide(u.URL, token), Err: scrub(u.Err, token)}
	}
	clean := &scrubbed{text: hide(err.Error(), token)}
	for _, cause := range wrapped(err) {
		clean.causes = append(clean.causes, scrub(cause, token))
	}
	clean.timeout, clean.temporary = nature(err)
	return clean
}

// shows tells whether token is in the text of err or of anything that it wraps.
func shows(err error, token string) bool {
	if err == nil {
		return false
	}
	if text := err.Error(); hide(text, token) != text {
		return true
	}
	for _, cause := range wrapped(err) {
		if shows(cause, token) {
			return true
		}
	}
	return false
}

// wrapped is what err wraps itself, without looking further.
func wrapped(err error) []error {
	switch w := err.(type) {
	case interface{ Unwrap() []error }:
		return w.Unwrap()
	case interface{ Unwrap() error }:
		if cause := w.Unwrap(); cause != nil {
			return []error{cause}
		}
	}
	return nil
}

func hide(text, token string) string {
	text = strings.ReplaceAll(text, token, hidden)
	return strings.ReplaceAll(text, url.QueryEscape(token), hidden)
}

// nature tells what net.Error tells of err.
func nature(err error) (timeout, temporary bool) {
	var t interface{ Timeout() bool }
	var p interface{ Temporary() bool }
	return errors.As(err, &t) && t.Timeout(), errors.As(err, &p) && p.Temporary()
}

// scrubbed stands for an error whose text showed a token. It is a net.Error.
type scrubbed struct {
	text               string
	causes             []error
	timeout, temporary bool
}

func (e *scrubbed) Error() string   { return e.text }
func (e *scrubbed) Unwrap() []error { return e.causes }
func (e *scrubbed) Timeout() bool   { return e.timeout }
func (e *scrubbed) Temporary() bool { return e.temporary }
