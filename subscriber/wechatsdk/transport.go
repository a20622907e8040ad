package wechatsdk

import "net/http"

// Transport heals the calls of several accounts that share one http.Client, as those of SDKs do that have one for the whole
// process. A request with a token that one of the adapters gave out goes through the Transport of that adapter's source; a
// request without one, or with another, goes to base untouched. A nil base is http.DefaultTransport.
//
// A source's own Transport is for the calls of its account only: it would repeat another account's with its own token.
func Transport(base http.RoundTripper, adapters ...*Adapter) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	t := &transport{base: base}
	for _, a := range adapters {
		t.ways = append(t.ways, way{a, a.src.Transport(base)})
	}
	return t
}

type transport struct {
	base http.RoundTripper
	ways []way
}

type way struct {
	adapter *Adapter
	healing http.RoundTripper
}

// RoundTrip is http.RoundTripper's.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if token := tokenOf(req); token != "" {
		for _, w := range t.ways {
			if w.adapter.hasLent(token) {
				return w.healing.RoundTrip(req)
			}
		}
	}
	return t.base.RoundTrip(req)
}

func tokenOf(req *http.Request) string {
	if req.URL == nil {
		return ""
	}
	return req.URL.Query().Get("access_token")
}

// CloseIdleConnections is for http.Client's method of that name.
func (t *transport) CloseIdleConnections() {
	if closer, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
