package agent

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/wxtoken/wxtoken/internal/tokenquery"
)

var (
	plainPath = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9_~.-]*)+/?$`)
	mintPath  = regexp.MustCompile(`(?i)(/cgi-bin/(token|stable_token|gettoken)/*$|/cgi-bin/(component|service)/)`)
)

// checkSent checks what WeChat gets for r: on its own hosts, on no path that gives out tokens, with the token of the
// account that r may use and no other, or else with what r had.
func checkSent(t *testing.T, r, sent *http.Request) {
	t.Helper()
	u := sent.URL
	if u.Scheme != "https" || !(u.Host == "one.test" && strings.HasPrefix(u.Path, "/wx/") || u.Host == "two.test") || sent.Host != "" && sent.Host != u.Host ||
		u.User != nil || u.Opaque != "" || !plainPath.MatchString(u.EscapedPath()) || strings.Contains(u.Path, "..") || mintPath.MatchString(u.Path) {
		t.Errorf("%s %s leads to %s, Host %q", r.Method, r.URL, u, sent.Host)
	}
	for _, name := range notForWeChat {
		if sent.Header.Get(name) != "" {
			t.Errorf("WeChat gets %s: %s", name, sent.Header.Get(name))
		}
	}
	tokens, others := tokensIn(u.RawQuery)
	carried, clientsOthers := tokensIn(r.URL.RawQuery)
	switch owner := ownerOf(tokens); {
	case owner != "":
		entitled := r.Header.Get(appIDHeader) == owner || r.Header[appIDHeader] == nil && len(carried) > 0 && ownerOf(carried) == owner
		if len(tokens) != 1 || !entitled || others || clientsOthers {
			t.Errorf("%s %s with %q becomes %s", r.Method, r.URL, r.Header[appIDHeader], u)
		}
	case !clientsOthers && !strings.Contains(strings.ToLower(u.Path), "/sns/") && !strings.HasSuffix(strings.Trim(strings.ToLower(u.Path), "/"), "clear_quota/v2"):
		t.Errorf("%s %s becomes %s, without a token", r.Method, r.URL, u)
	case u.RawQuery != r.URL.RawQuery:
		t.Errorf("%s %s, which is none of ours, becomes %s", r.Method, r.URL, u)
	}
}

// checkRedirect checks that a redirect of WeChat's leads to the same place, or to that on the agent.
func checkRedirect(t *testing.T, from, to string) {
	t.Helper()
	wechats, err := url.Parse(from)
	ours, errOurs := url.Parse(to)
	if err != nil || errOurs != nil || to == "" || to == "[redacted]" || ours.Host == wechats.Host {
		return
	}
	host := strings.ToLower(wechats.Host)
	known := host == "two.test" || host == "one.test" && (wechats.Path == "/wx" || strings.HasPrefix(wechats.Path, "/wx/"))
	if ours.Host != "" || !known {
		t.Errorf("WeChat's redirect to %q becomes one to %q", from, to)
	}
}

// tokensIn are all access tokens of a query that aren't empty; others tells of those of other kinds.
func tokensIn(query string) (tokens []string, others bool) {
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name = unescaped(name); name == tokenquery.Param && value != "" {
			tokens = append(tokens, unescaped(value))
		}
		others = others || strings.HasSuffix(name, "_"+tokenquery.Param)
	}
	return tokens, others
}

// unescaped is text as a server may read it.
func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// ownerOf is the account that the first token belongs to, or "".
func ownerOf(tokens []string) string {
	for appid, a := range fuzzAccounts {
		if len(tokens) > 0 && tokens[0] == a.token {
			return appid
		}
	}
	return ""
}

// checkSaid checks that a token goes to none but who knows its key, and that nothing private is logged.
func (w *fuzzedAgent) checkSaid(t *testing.T, r *http.Request, asked []byte, said string) {
	t.Helper()
	log := w.log.String()
	var sent struct{ AppID, Secret string }
	_ = json.Unmarshal(asked, &sent) // or none
	for _, named := range append(r.Header[appIDHeader], sent.AppID, r.URL.Query().Get("appid")) {
		said = strings.ReplaceAll(said, "account "+named+" is not served", "") // what the client itself says is an account
	}
	for appid, a := range fuzzAccounts {
		entitled := r.URL.Path == pathToken && r.URL.Query().Get("secret") == a.key || r.URL.Path == pathStable && sent.Secret == a.key
		if strings.Contains(said, a.token) && !entitled {
			t.Errorf("%s %s is told the token of %s: %s", r.Method, r.URL, appid, said)
		}
		for _, private := range []string{a.token, a.key} {
			if strings.Contains(log, private) && !strings.Contains(r.Method+r.URL.Path, private) {
				t.Errorf("%s %s logs: %s", r.Method, r.URL, log)
			}
		}
		if strings.Contains(said, a.key) {
			t.Errorf("%s %s is told a key: %s", r.Method, r.URL, said)
		}
	}
}
