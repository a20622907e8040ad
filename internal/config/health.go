package config

import (
	"io"
	"net"
	"net/url"
)

// healthVars say what `wxtoken health` asks.
type healthVars struct {
	HealthURL string `envconfig:"WX_HEALTH_URL" desc:"what to ask; default: /readyz of the publisher at WX_HTTP_ADDR"`
	HTTPVars
}

// ReadHealthURL reads the environment. Its error is an *Error.
func ReadHealthURL() (string, error) {
	var v healthVars
	read(&v)
	var m mistakes
	if v.HealthURL == "" {
		return v.ownURL(&m), m.err()
	}
	if u, err := url.Parse(v.HealthURL); err != nil || u.Scheme != "http" || u.Hostname() == "" {
		m.add("WX_HEALTH_URL", "%q: want one like http://127.0.0.1:9403/readyz", v.HealthURL)
	}
	return v.HealthURL, m.err()
}

// ownURL is how a publisher in the same container is reached: one that listens on all addresses does on loopback too.
func (v healthVars) ownURL(m *mistakes) string {
	host := m.address("WX_HTTP_ADDR", v.HTTPAddr)
	_, port, _ := net.SplitHostPort(v.HTTPAddr) // what is wrong with it was said
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/readyz"
}

// HealthUsage writes the table of ReadHealthURL's variables.
func HealthUsage(out io.Writer) error { return usage(out, &healthVars{}) }
