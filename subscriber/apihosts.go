package subscriber

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// hostport is where an API is served: name in lower case, IPv6 without brackets, and the port in decimal.
type hostport struct{ name, port string }

// isAPI tells whether u may have the token.
func (o *options) isAPI(u *url.URL) bool {
	h := hostport{strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), u.Port()}
	if h.port == "" {
		h.port = defaultPort(u.Scheme)
	}
	return u.Scheme == "https" && h.isWeChat() || o.apiHosts[h]
}

func defaultPort(scheme string) string {
	switch scheme {
	case "https":
		return "443"
	case "http":
		return "80"
	}
	return ""
}

func (h hostport) isWeChat() bool {
	if h.port != "443" {
		return false
	}
	switch h.name {
	case "api.weixin.qq.com", "api2.weixin.qq.com", "sh.api.weixin.qq.com", "sz.api.weixin.qq.com", "hk.api.weixin.qq.com",
		"qyapi.weixin.qq.com":
		return true
	}
	return false
}

// otherwiseAuthorised tells whether calls of a path are authorised by an AppSecret, a user's OAuth token, or the token of
// a third-party platform or provider. The path may stand behind a proxy's prefix.
func otherwiseAuthorised(p string) bool {
	p = path.Clean(p)
	for _, end := range [...]string{"/cgi-bin/token", "/cgi-bin/stable_token", "/cgi-bin/gettoken",
		"/cgi-bin/clear_quota/v2"} {
		if strings.HasSuffix(p, end) {
			return true
		}
	}
	for _, part := range [...]string{"/sns/", "/cgi-bin/component/", "/cgi-bin/service/"} {
		if strings.Contains(p, part) {
			return true
		}
	}
	return false
}

// addAPIHost adds an entry of WithAPIHosts, or says what is wrong with it.
func (o *options) addAPIHost(entry string) error {
	u, err := url.Parse("//" + entry)
	if err != nil || u.Host != entry || !plainHost(u.Hostname()) || strings.HasSuffix(entry, ":") {
		return fmt.Errorf("API host %.100q: write host or host:port, without scheme and path: api.example.com, "+
			"127.0.0.1:9401, [::1]:9401", entry)
	}
	name, ports := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), []string{"80", "443"}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return fmt.Errorf("API host %.100q: the port is none from 1 to 65535", entry)
		}
		ports = []string{port}
	}
	if o.apiHosts == nil {
		o.apiHosts = make(map[hostport]bool)
	}
	for _, port := range ports {
		o.apiHosts[hostport{name, port}] = true
	}
	return nil
}

// plainHost tells whether name is an IP address or may be a host's name.
func plainHost(name string) bool {
	if strings.Contains(name, ":") {
		_, err := netip.ParseAddr(name)
		return err == nil
	}
	return strings.Trim(name, ".") != "" && !strings.ContainsAny(name, "*,; \t%@")
}
