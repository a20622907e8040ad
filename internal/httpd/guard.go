package httpd

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Guard is h for all but web pages: it answers 421 to a Host that is neither an IP address nor localhost nor one of names,
// and 403 to what a browser sends on behalf of another site. Unix sockets, which no browser reaches, may have any Host.
func Guard(h http.Handler, names ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !onUnix(r.Context()) && !knownHost(r.Host, names):
			Error(w, http.StatusMisdirectedRequest, "this Host is none of this server's names")
		case crossSite(r.Header):
			Error(w, http.StatusForbidden, "web pages may not call this server")
		default:
			h.ServeHTTP(w, r)
		}
	})
}

func onUnix(ctx context.Context) bool {
	addr, _ := ctx.Value(http.LocalAddrContextKey).(net.Addr)
	return addr != nil && addr.Network() == "unix"
}

// knownHost takes IP addresses: whoever has one in a Host was not led here by a name.
func knownHost(host string, names []string) bool {
	if host == "" {
		return true // HTTP/1.0, which no browser speaks
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	return host == "localhost" || slices.Contains(names, host)
}

// crossSite tells what a browser says of itself. Programs send neither header.
func crossSite(h http.Header) bool {
	switch h.Get("Sec-Fetch-Site") {
	case "none", "same-origin":
		return false
	case "":
		return h.Get("Origin") != ""
	}
	return true
}
