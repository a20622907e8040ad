package wechat

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// Values of Error.Op.
const (
	OpMint  = "mint"
	OpCheck = "check"
)

// Error is every error of Mint and Check. None of its parts shows the AppSecret or a token.
type Error struct {
	Op    string // OpMint or OpCheck
	Class Class
	Code  int    // WeChat's errcode; 0 is a network-class fault
	Msg   string // WeChat's errmsg, scrubbed and bounded; its rid helps WeChat's support
	Host  string // of the base that was called; empty if none was
	Hint  string // one sentence that tells a human what to do
	Err   error  // the fault, when Code is 0: what it was is found in it with errors.Is and errors.As

	// Unsent is set where the request surely did not leave: no address, no connection, no TLS.
	Unsent bool
}

func (e *Error) Error() string {
	var what string
	if e.Code != 0 {
		what = strings.TrimSpace(fmt.Sprintf("WeChat says %d %s", e.Code, e.Msg))
	} else {
		what = strings.TrimPrefix(fmt.Sprintf("%s: %v", e.Host, e.Err), ": ")
	}
	return e.Op + ": " + what + ": " + cmp.Or(e.Hint, e.Class.hint())
}

func (e *Error) Unwrap() error { return e.Err }

// Ambiguous tells whether WeChat may have minted a token that never arrived. Then the token that was current may
// already be dying, and the mint is best repeated at once. An errcode, -1 included, is an answer and not ambiguous.
func (e *Error) Ambiguous() bool { return e.Op == OpMint && e.Code == 0 && !e.Unsent }

// ClientIP returns the IP that WeChat says it was called from, or "": what belongs on the whitelist is this one, not
// what a machine believes its address to be.
func (e *Error) ClientIP() string { return clientIP(e.Code, e.Msg) }

func clientIP(code int, msg string) string {
	if !strings.Contains(codes[code].hint, "{ip}") {
		return ""
	}
	for word := range strings.FieldsFuncSeq(msg, notOfIP) {
		for _, candidate := range []string{word, strings.Trim(word, ":.")} {
			if ip, err := netip.ParseAddr(candidate); err == nil && !ip.IsUnspecified() {
				return ip.Unmap().String()
			}
		}
	}
	return ""
}

func notOfIP(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF:.", r) }

// newRefusal is an error for a reply with an errcode.
func newRefusal(cl call, host string, r reply) *Error {
	msg := show(r.msg, cl.hide, cl.alsoHide, secret.New(r.token))
	class, hint := look(cl.op, r.code, clientIP(r.code, msg))
	return &Error{Op: cl.op, Class: class, Code: r.code, Msg: msg, Host: host, Hint: hint}
}

// newBadReply is an error for a reply that makes no sense. err must quote nothing of it.
func newBadReply(cl call, host string, status int, err error) *Error {
	return &Error{
		Op:   cl.op,
		Host: host,
		Hint: "it is tried again by itself; if it persists, find out who else answers for " + host + " (a proxy, a captive portal)",
		Err:  &fault{text: fmt.Sprintf("HTTP %d: %v", status, err)},
	}
}

// newFault is an error for a request that got no reply.
func newFault(ctx context.Context, cl call, host string, err error, unsent bool) *Error {
	e := &Error{Op: cl.op, Host: host, Hint: Transient.hint(), Err: newCause(ctx, err, unsent, cl.hide, cl.alsoHide), Unsent: unsent}
	if unsent && ctx.Err() == nil {
		e.Hint += "; if it persists, check DNS, firewall and proxy on the way to " + host
	}
	return e
}

// ctxEnded is an error for a call that was not even begun.
func ctxEnded(ctx context.Context, cl call) *Error {
	e := newFault(ctx, cl, "", ctx.Err(), true)
	e.Hint = "nothing was sent"
	return e
}
