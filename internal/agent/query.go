package agent

import (
	"net/url"
	"strings"
)

const tokenParam = "access_token"

// tokenIn is the access_token that a query carries, or "". other says that there is one of another kind, in a parameter
// like component_access_token: such a call is authorised by that.
func tokenIn(query string) (token string, other bool) {
	if !strings.Contains(query, tokenParam) && !strings.ContainsAny(query, "%+") {
		return "", false
	}
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

// withoutToken is query without any access_token. The rest stays as it is, byte for byte.
func withoutToken(query string) string {
	if !strings.Contains(query, tokenParam) && !strings.ContainsAny(query, "%+") {
		return query
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); unescaped(name) != tokenParam {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

// unescaped is text as a server reads it, or as it is when it is written wrongly.
func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}
