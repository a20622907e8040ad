// Package tokenquery reads and changes the access_token in a URL's query, as subscriber and agent have to. A token is found
// however its name is written, and what is not about tokens stays as it is, byte for byte: WeChat may be asked with queries
// that url.Values would order or write otherwise.
package tokenquery

import (
	"net/url"
	"strings"
)

// Param is the parameter in which WeChat takes a token.
const Param = "access_token"

// Find returns the first access_token of a query that isn't empty, or "". other says that there is one of another kind, in
// a parameter like component_access_token: such a call is authorised by that.
func Find(query string) (token string, other bool) {
	if !mayHaveToken(query) {
		return "", false
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		switch name = unescaped(name); {
		case name == Param && token == "":
			token = unescaped(value)
		case strings.HasSuffix(name, "_"+Param):
			other = true
		}
	}
	return token, other
}

// Set returns query with token as its only access_token.
func Set(query, token string) string {
	setting := Param + "=" + url.QueryEscape(token)
	switch {
	case query == "":
		return setting
	case !mayHaveToken(query):
		return query + "&" + setting
	}
	query, found := replace(query, setting, func(string) bool { return true })
	if !found {
		return query + "&" + setting
	}
	return query
}

// Clear returns query with the parameter empty where its value is token, and tells whether it was so anywhere.
func Clear(query, token string) (cleared string, found bool) {
	return replace(query, Param+"=", func(value string) bool { return unescaped(value) == token })
}

// replace puts setting in the place of each access_token whose value, as it is written, is among those wanted.
func replace(query, setting string, wanted func(value string) bool) (replaced string, found bool) {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		if name, value, _ := strings.Cut(pair, "="); unescaped(name) == Param && wanted(value) {
			pairs[i], found = setting, true
		}
	}
	return strings.Join(pairs, "&"), found
}

// Remove returns query without any access_token.
func Remove(query string) string {
	if !mayHaveToken(query) {
		return query
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); unescaped(name) != Param {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

// mayHaveToken is a cheap look at whether query has an access_token, with its name written in one way or another.
func mayHaveToken(query string) bool {
	return strings.Contains(query, Param) || strings.ContainsAny(query, "%+")
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
