package statuspage

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// query is what a viewer wants to see.
type query struct {
	search string
	page   int // from 1
	lang   string
	chosen bool // the language, by the viewer; otherwise by the browser
}

// maxSearch is longer than anything that can be found.
const maxSearch = 80

func askedFor(r *http.Request) query {
	values := r.URL.Query()
	q := query{search: searched(values.Get("q")), page: 1, lang: values.Get("lang")}
	if n, err := strconv.Atoi(values.Get("page")); err == nil {
		q.page = max(n, 1)
	}
	q.chosen = q.lang == langEN || q.lang == langZH
	if !q.chosen {
		q.lang = wished(r.Header.Get("Accept-Language"))
	}
	return q
}

// searched is text as it is looked for and shown: UTF-8, not too long, and the same when a link brings it back.
func searched(text string) string {
	runes := []rune(strings.TrimSpace(text))
	return strings.TrimSpace(string(runes[:min(len(runes), maxSearch)]))
}

// link is the page for the query.
func (q query) link(path string) string {
	values := url.Values{}
	if q.search != "" {
		values.Set("q", q.search)
	}
	if q.page > 1 {
		values.Set("page", strconv.Itoa(q.page))
	}
	if q.chosen {
		values.Set("lang", q.lang)
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

func (q query) onPage(n int) query {
	q.page = n
	return q
}

func (q query) in(lang string) query {
	q.lang, q.chosen = lang, true
	return q
}

func (q query) searching(text string) query {
	q.search, q.page = text, 1
	return q
}
