package subscriber

import (
	"net/http"
	"net/url"

	"github.com/wxtoken/wxtoken/internal/tokenquery"
)

// Transport returns a RoundTripper that sends requests to WeChat's API through base, with the newest access_token in
// their query, and heals calls whose token WeChat refuses (40001, 40014, 42001). A nil base is http.DefaultTransport.
// Any number of goroutines may use it. After Close of the source it gives ErrClosed.
//
// # Which requests
//
// Those over https to api, api2, sh.api, sz.api, hk.api and qyapi of weixin.qq.com, and those to the hosts of
// WithAPIHosts. All others pass untouched, redirects to elsewhere too: the token goes to no other host, not even in a
// redirect's Referer or Location. Also untouched are API calls that an account's access_token doesn't authorise: mints
// (/cgi-bin/token, /cgi-bin/stable_token, /cgi-bin/gettoken), /cgi-bin/clear_quota/v2, all under /sns/,
// /cgi-bin/component/ and /cgi-bin/service/, and those with a parameter such as component_access_token.
//
// Of a query nothing but access_token changes. The caller's Request never does, and is the reply's Response.Request.
//
// A request that has an access_token already, as an SDK sends it, is sent with that first: only WeChat knows whether
// it is good. When WeChat refuses it, the replay has the source's. So give the client calls of this one account only.
//
// # Healing
//
// WeChat does nothing for a call that it refuses, so sending it again is safe. It is sent again with the newer token
// that the source holds by now, if there is one. If there is none, or that is refused too, the source's Refresh asks
// for one, once for all concurrent calls, and the call is sent a last time; with the same token, if WeChat turns out
// to accept it after all. When it was a rotation already under way that brought the newer token, and WeChat refuses that
// one too, Refresh is asked once more. So a call is sent four times at most, and mostly twice.
//
// The caller gets WeChat's own refusal, whole, if the last token is refused too, if Refresh brings none within 15 s or
// three quarters of the time until the deadline of the request's ctx, or if the body can't be had again. It can with
// GetBody, which http.NewRequest sets for bodies in memory, and up to 64 KiB without. Longer ones stream; when they
// are refused, the token is refreshed all the same, so that trying again helps.
//
// RoundTrip reads the beginning of a reply to find a refusal: what comes with one read, and up to 4 KiB while it may
// yet be one of WeChat's errors, which are flat JSON objects. Replies with a greater Content-Length are not looked at,
// nor are those with a Content-Encoding: leave compression to net/http, which hides it.
//
// # Errors
//
// Errors of base are rid of the token; errors.Is and errors.As still find what they wrap. An error with ErrExpired in
// it means that there was no token to send, and Refresh brought none. When a replay fails on the network, that error is
// returned: WeChat may have done what it was asked to. When the request's ctx ends during a refresh, it is ctx's. Mind
// that http.Client's own errors quote the URL that it was given, with the token that an SDK put there.
func (s *Source) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{src: s, base: base}
}

// Client returns a new http.Client with Transport(nil). It has no timeout: set one, or give requests a ctx with a
// deadline. Either covers the whole call, refresh and replays included.
func (s *Source) Client() *http.Client {
	return &http.Client{Transport: s.Transport(nil)}
}

type transport struct {
	src  *Source
	base http.RoundTripper
}

// RoundTrip is http.RoundTripper's.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.wantsToken(req.Method, req.URL) {
		if carried, other := tokenquery.Find(req.URL.RawQuery); !other {
			c := call{transport: t, req: req}
			return c.do(carried)
		}
	}
	return t.pass(req)
}

// CloseIdleConnections is for http.Client's method of that name.
func (t *transport) CloseIdleConnections() {
	if closer, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// wantsToken tells whether a request is a call of the API that an account's access_token authorises.
func (t *transport) wantsToken(method string, u *url.URL) bool {
	return u != nil && u.Opaque == "" && method != http.MethodConnect && t.src.opts.isAPI(u) && !otherwiseAuthorised(u.Path)
}

// pass sends a request that is none of ours.
func (t *transport) pass(req *http.Request) (*http.Response, error) {
	if !refersToken(req) {
		return t.base.RoundTrip(req)
	}
	out := *req
	out.Header = withoutReferer(req.Header)
	resp, err := t.base.RoundTrip(&out)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}
