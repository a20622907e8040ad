package agent

import (
	"regexp"
	"slices"
	"strings"
)

// The mint endpoints that the agent answers itself.
const (
	pathToken  = "/cgi-bin/token"
	pathStable = "/cgi-bin/stable_token"
)

// apiPath is what paths of WeChat's API look like. Whatever is written in another way, percent-encoded or with double
// slashes or dots, WeChat might read as something else than we do.
var apiPath = regexp.MustCompile(`^(/[A-Za-z0-9_~-]+(\.[A-Za-z0-9_~-]+)*)+/?$`)

// route is where a path leads.
type route int

const (
	routeAPI    route = iota // WeChat's, with the account's token
	routeOther               // WeChat's, authorised in another way, so untouched
	routeToken               // answered here
	routeStable              // answered here
	routeOdd                 // no path of the API
	routeSecret              // gives out tokens, or takes those of a third-party platform
)

// routeOf takes the path as it was sent.
func routeOf(escaped string) route {
	switch escaped {
	case pathToken:
		return routeToken
	case pathStable:
		return routeStable
	}
	if !apiPath.MatchString(escaped) {
		return routeOdd
	}
	plain := strings.TrimSuffix(strings.ToLower(escaped), "/")
	switch {
	case mints(plain):
		return routeSecret
	case strings.Contains(plain, "/sns/") || strings.HasSuffix(plain, "/cgi-bin/clear_quota/v2"): // behind a prefix, too, as subscriber has it
		return routeOther
	}
	return routeAPI
}

// mints takes a path in lower case. It may stand behind a prefix.
func mints(plain string) bool {
	ends := []string{pathToken, pathStable, "/cgi-bin/gettoken"}
	if slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(plain, end) }) {
		return true
	}
	return strings.Contains(plain, "/cgi-bin/component/") || strings.Contains(plain, "/cgi-bin/service/")
}
