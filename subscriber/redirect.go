package subscriber

import (
	"maps"
	"net/http"
	"strings"

	"github.com/wxtoken/wxtoken/internal/tokenquery"
)

// refersToken tells whether req follows a redirect and its Referer, which http.Client makes of the URL before, shows a
// token.
func refersToken(req *http.Request) bool {
	return req.Response != nil && strings.Contains(req.Header.Get("Referer"), tokenquery.Param+"=")
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
	query, found := tokenquery.Clear(query, token)
	if !found {
		return
	}
	location = address + "?" + query
	if hasFragment {
		location += "#" + fragment
	}
	header.Set("Location", location)
}
