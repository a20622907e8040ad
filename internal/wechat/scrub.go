package wechat

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/wxtoken/wxtoken/internal/secret"
)

const (
	scrubbed  = "[redacted]"
	maxShown  = 300 // bytes of foreign text in an error
	shortened = "…"
)

// tokenLike finds what may be a token that the caller doesn't know, such as the current one in a mint's errmsg. Tokens
// are 136 characters and more; WeChat's own marks in messages (rid, hint) are below 30.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9_-]{64,}`)

// show makes foreign text fit for an error: without the secrets, without control characters, not too long. The order
// matters: dropping characters may put a secret together, and cutting may leave half of one.
func show(text string, hide ...secret.String) string {
	scrubber := newScrubber(hide)
	text = scrubber.Replace(text)
	text = scrubber.Replace(strings.Map(printable, text))
	text = tokenLike.ReplaceAllString(text, scrubbed)
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + shortened
	}
	return text
}

// mentions tells whether show would hide something in text.
func mentions(text string, hide []secret.String) bool {
	return newScrubber(hide).Replace(text) != text || tokenLike.MatchString(text)
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}

// newScrubber replaces the secrets in each form in which an echo may write them. Of the forms that fit at one place
// the Replacer takes the first, so the longest stand in front.
func newScrubber(hide []secret.String) *strings.Replacer {
	var all, pairs []string
	for _, s := range hide {
		all = append(all, forms(s.Reveal())...)
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	for _, form := range all {
		if form != "" {
			pairs = append(pairs, form, scrubbed)
		}
	}
	return strings.NewReplacer(pairs...)
}

func forms(text string) []string {
	query, path := url.QueryEscape(text), url.PathEscape(text)
	escaped, _ := json.Marshal(text)
	return []string{
		query, lowerHex(query),
		path, lowerHex(path),
		strings.Trim(string(escaped), `"`),
		strings.Trim(strconv.Quote(text), `"`),
		text,
		strings.TrimSpace(text),
	}
}

var percentHex = regexp.MustCompile(`%[0-9A-F]{2}`)

func lowerHex(escaped string) string {
	return percentHex.ReplaceAllStringFunc(escaped, strings.ToLower)
}
