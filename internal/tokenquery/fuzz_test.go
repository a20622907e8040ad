package tokenquery

import (
	"net/url"
	"strings"
	"testing"
)

// What callers send, and where replies redirect to.
func FuzzQuery(f *testing.F) {
	for _, query := range []string{"", "a=1", "access_token=x&a=%", "access%5ftoken=%zz&b", "&&=&access_token", "access_token=x&access_token=84_token#f"} {
		f.Add(query, "84_token")
	}
	f.Add("a=1", "a b&c=d%#")
	f.Fuzz(func(t *testing.T, query, token string) {
		with := Set(query, token)
		if found, _ := Find(with); found != token {
			t.Errorf("%q with %q is %q, which has %q", query, token, with, found)
		}
		if again := Set(with, token); again != with {
			t.Errorf("%q becomes %q the second time", with, again)
		}
		if token != "" && !strings.ContainsAny(query, ";") {
			if values, err := url.ParseQuery(with); err == nil && values.Get(Param) != token {
				t.Errorf("a server reads %q in %q", values.Get(Param), with)
			}
		}
		without := Remove(query)
		if found, _ := Find(without); found != "" {
			t.Errorf("%q becomes %q, which has %q", query, without, found)
		}
		cleared, was := Clear(with, token)
		if found, _ := Find(cleared); !was || found != "" {
			t.Errorf("%q becomes %q, which has %q", with, cleared, found)
		}
		for _, changed := range []string{with, without, cleared} {
			if rest(changed) != rest(query) {
				t.Errorf("%q becomes %q", query, changed)
			}
		}
	})
}

// rest is what of a query is none of ours.
func rest(query string) string {
	var others []string
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); unescaped(name) != Param {
			others = append(others, pair)
		}
	}
	return strings.Join(others, "&")
}
