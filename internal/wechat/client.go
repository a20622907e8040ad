package wechat

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// Config is what a Client needs to know.
type Config struct {
	// Bases are API base URLs such as https://api.weixin.qq.com, tried in order. A path is kept as a prefix. Whether
	// http is allowed is for the caller to check.
	Bases []string

	// Timeout of one attempt, from looking up the name to the last byte of the reply.
	Timeout time.Duration

	// Transport that sends the requests; nil means one of the Client's own. It must not repeat requests, else a mint
	// that was lost becomes two: an http.Transport repeats GETs unless it has DisableKeepAlives.
	Transport http.RoundTripper
}

// Client sends requests to the WeChat host that works.
type Client struct {
	hosts     *hosts
	timeout   time.Duration
	transport http.RoundTripper
}

// NewClient makes a Client, or tells every problem of the Config at once. It does no I/O.
func NewClient(cfg Config) (*Client, error) {
	bases, err := parseBases(cfg.Bases)
	if cfg.Timeout <= 0 {
		err = errors.Join(err, fmt.Errorf("timeout %v: want more than 0", cfg.Timeout))
	}
	if cfg.Transport == nil {
		err = errors.Join(err, checkProxies(bases))
		cfg.Transport = newTransport(cfg.Timeout)
	}
	if err != nil {
		return nil, err
	}
	return &Client{&hosts{bases: bases}, cfg.Timeout, cfg.Transport}, nil
}

// Account returns an account that mints by way of e.
func (c *Client) Account(appid string, appSecret secret.String, e Endpoint) *Account {
	return &Account{c, appid, appSecret, e}
}

func parseBases(texts []string) (bases []*url.URL, err error) {
	if len(texts) == 0 {
		return nil, errors.New("no API base URL")
	}
	for i, text := range texts {
		base, problem := parseBase(text)
		if problem != nil {
			err = errors.Join(err, fmt.Errorf("API base URL %d: %w", i+1, problem))
		}
		if problem == nil {
			bases = append(bases, base)
		}
	}
	return bases, err
}

// parseBase never quotes text: it may hold a password.
func parseBase(text string) (*url.URL, error) {
	base, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case base.Scheme != "https" && base.Scheme != "http" || base.Hostname() == "":
		return nil, errors.New("want https://host")
	case base.User != nil || base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return nil, fmt.Errorf("%s: want no user, query or fragment", base.Host)
	}
	if base.Path == "" {
		base.Path = "/" // JoinPath would otherwise make a relative one
	}
	return base, nil
}

// checkProxies finds an unusable proxy variable now, instead of in each request. It doesn't quote it: it may hold a
// password.
func checkProxies(bases []*url.URL) (err error) {
	for _, base := range bases {
		if _, problem := http.ProxyFromEnvironment(&http.Request{URL: base}); problem != nil {
			err = errors.Join(err, fmt.Errorf("the proxy that HTTPS_PROXY or HTTP_PROXY names for %s is not a URL", base.Host))
		}
	}
	return err
}

// newTransport makes a transport with one connection per request. Kept ones would save a handshake an hour; but
// net/http repeats a GET by itself when a kept connection breaks, which is a second mint, and logs what arrives on an
// idle one, which may be a token. The timeouts are for dials, which go on after their request was given up.
func newTransport(timeout time.Duration) *http.Transport {
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
		TLSHandshakeTimeout:    timeout,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxReply,
		Protocols:              http1,
	}
}
