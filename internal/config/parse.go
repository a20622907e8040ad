package config

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// duration reads 90s, 5m, 1h30m. A bare 0 is one too.
func (m *mistakes) duration(variable, text string, least time.Duration) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		m.add(variable, "%q is no duration: want one like 30s, 5m or 1h30m", text)
		return least
	}
	if d < least {
		m.add(variable, "%s is too short: want %s or more", text, least)
		return least
	}
	return d
}

// seconds reads 7200, and durations too.
func (m *mistakes) seconds(variable, text string, least time.Duration) time.Duration {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		text = strconv.FormatInt(n, 10) + "s"
	}
	return m.duration(variable, text, least)
}

func (m *mistakes) boolean(variable, text string) bool {
	b, err := strconv.ParseBool(text)
	if err != nil {
		m.add(variable, "%q: want true or false", text)
	}
	return b
}

func (m *mistakes) integer(variable, text string, least, most int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		m.add(variable, "%q: want a number from %d to %d", text, least, most)
		return least
	}
	return n
}

func (m *mistakes) choice(variable, text string, choices ...string) string {
	if !slices.Contains(choices, text) {
		m.add(variable, "%q: want %s", text, strings.Join(choices, " or "))
		return choices[0]
	}
	return text
}

// address checks host:port and returns its host.
func (m *mistakes) address(variable, text string) (host string) {
	host, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		m.add(variable, "%q: want host:port, like 127.0.0.1:4222", text)
	}
	return host
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// bases reads the API's base URLs.
func (m *mistakes) bases(variable, text string, allowHTTP bool) []string {
	var bases []string
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		m.base(variable, part, allowHTTP)
		bases = append(bases, strings.TrimSuffix(part, "/"))
	}
	if len(bases) == 0 {
		m.add(variable, "want one or more URLs like https://api.weixin.qq.com")
	}
	return bases
}

// base doesn't quote what it can't parse: it may hold a password.
func (m *mistakes) base(variable, text string, allowHTTP bool) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		m.add(variable, "want URLs like https://api.weixin.qq.com, without user, query or fragment")
	case u.Scheme == "https":
	case u.Scheme != "http":
		m.add(variable, "%s: want https://", u.Host)
	case !allowHTTP && !isLoopback(u.Hostname()):
		m.add(variable, "http://%s would send the AppSecret or the token in the clear: use https, or set WX_API_ALLOW_HTTP=true if this is a simulator in a private network", u.Host)
	}
}
