package subscriber

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
)

const tokenParam = "access_token"

// tokenIn is the access_token that a query carries, or "". other says that the query has a token of another kind, in a
// parameter like component_access_token.
func tokenIn(query string) (token string, other bool) {
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		switch name = unescaped(name); {
		case name == tokenParam && token == "":
			token = unescaped(value)
		case strings.HasSuffix(name, "_"+tokenParam):
			other = true
		}
	}
	return token, other
}

// withToken is query with token as its only access_token. The rest stays as it is, byte for byte.
func withToken(query, token string) string {
	const name = tokenParam + "="
	token = url.QueryEscape(token)
	if query == "" {
		return name + token
	}
	if !mayHaveToken(query) {
		return query + "&" + name + token
	}
	setting := name + token
	pairs, found := strings.Split(query, "&"), false
	for i, pair := range pairs {
		if name, _, _ := strings.Cut(pair, "="); unescaped(name) == tokenParam {
			pairs[i], found = setting, true
		}
	}
	if !found {
		pairs = append(pairs, setting)
	}
	return strings.Join(pairs, "&")
}

// mayHaveToken is a cheap look at whether query has an access_token, with its name written in one way or another.
func mayHaveToken(query string) bool {
	return strings.Contains(query, tokenParam) || strings.ContainsAny(query, "%+")
}

// unescaped is text as a server reads it, or as it is when it is written wrongly.
func unescaped(text string) string {
	if !strings.ContainsAny(text, "%+") {
		return text
	}
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// refersToken tells whether req follows a redirect and its Referer, which http.Client makes of the URL before, shows a
// token.
func refersToken(req *http.Request) bool {
	return req.Response != nil && strings.Contains(req.Header.Get("Referer"), tokenParam+"=")
}

func withoutReferer(header http.Header) http.Header {
	header = maps.Clone(header)
	header.Del("Referer")
	return header
}

// hideLocation takes token out of where a reply redirects to: http.Client would send it there. The parameter stays,
// empty, and is filled again where the redirect goes to the API.
func hideLocation(header http.Header, token string) {
	location := header.Get("Location")
	if location == "" {
		return
	}
	address, query, _ := strings.Cut(location, "?")
	query, fragment, hasFragment := strings.Cut(query, "#")
	pairs, found := strings.Split(query, "&"), false
	for i, pair := range pairs {
		if name, value, _ := strings.Cut(pair, "="); unescaped(name) == tokenParam && unescaped(value) == token {
			pairs[i], found = tokenParam+"=", true
		}
	}
	if !found {
		return
	}
	location = address + "?" + strings.Join(pairs, "&")
	if hasFragment {
		location += "#" + fragment
	}
	header.Set("Location", location)
}
