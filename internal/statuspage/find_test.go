package statuspage

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/publisher"
)

func ids(f found) string {
	var all []string
	for _, a := range f.accounts {
		all = append(all, a.AppID)
	}
	return strings.Join(all, " ")
}

func TestTroubleComesFirstAndThenWhatEndsFirst(t *testing.T) {
	accounts := []publisher.AccountStatus{
		healthy("b", time.Hour), healthy("a", time.Hour), healthy("soon", time.Minute), failing(healthy("warn", 2*time.Hour), errNATS),
		healthy("ended", -time.Minute), {AppID: "none"},
	}
	if got := ids(find(ranked(accounts), query{page: 1})); got != "none ended warn soon a b" {
		t.Errorf("order: %s", got)
	}
	if accounts[0].AppID != "b" {
		t.Error("what is the publisher's was sorted")
	}
}

func TestSearchFindsParts(t *testing.T) {
	accounts := []publisher.AccountStatus{healthy("wxAAA1", time.Hour), healthy("wxbbb2", 2*time.Hour), {AppID: "wxccc3"}}
	id := accounts[1].TokenID
	for search, want := range map[string]string{"aaa": "wxAAA1", "BBB": "wxbbb2", id: "wxbbb2", id[4:9]: "wxbbb2", "wx": "wxccc3 wxAAA1 wxbbb2", "nothing": ""} {
		f := find(ranked(accounts), query{search: search, page: 1})
		if got := ids(f); got != want || f.matches != len(f.accounts) {
			t.Errorf("%s finds %q, want %q", search, got, want)
		}
	}
}

func TestPagesAreOfFifty(t *testing.T) {
	for _, c := range []struct{ accounts, page, wantPage, pages, first, shown int }{
		{0, 1, 1, 1, 0, 0}, {1, 1, 1, 1, 1, 1}, {50, 1, 1, 1, 1, 50}, {51, 2, 2, 2, 51, 1}, {51, 99, 2, 2, 51, 1}, {5000, 100, 100, 100, 4951, 50},
	} {
		f := find(many(c.accounts), query{page: c.page})
		if f.page != c.wantPage || f.pages != c.pages || f.first != c.first || len(f.accounts) != c.shown {
			t.Errorf("%+v: page %d of %d, from %d, %d shown", c, f.page, f.pages, f.first, len(f.accounts))
		}
	}
}

func TestLinksKeepWhatWasAskedFor(t *testing.T) {
	_, h := served(t, newFleet(many(120)...))
	body := get(h, "/?q=wx&page=2&lang=zh").Body.String()
	has(t, body, `data-events="/events?lang=zh&amp;page=2&amp;q=wx"`, `href="/?lang=en&amp;page=2&amp;q=wx"`, `href="/?lang=zh&amp;page=2&amp;q=wx"`,
		`name="q" value="wx"`, `name="lang" value="zh"`, `href="/?lang=zh"`, "第 51–100 个，共 120 个",
		`rel="prev" href="/?lang=zh&amp;q=wx"`, "第 2 页，共 3 页", `rel="next" href="/?lang=zh&amp;page=3&amp;q=wx"`)
	has(t, get(h, "/?q=nothing").Body.String(), "No account matches.")
	_, h = served(t, newFleet())
	has(t, get(h, "/").Body.String(), "This publisher holds no accounts.")
}

func TestQueriesAreBounded(t *testing.T) {
	for target, want := range map[string]query{
		"/":                               {page: 1, lang: langEN},
		"/?page=0":                        {page: 1, lang: langEN},
		"/?page=-3&lang=fr":               {page: 1, lang: langEN},
		"/?page=99999999999999999999":     {page: 1, lang: langEN},
		"/?page=7&q=%20x%20&lang=zh":      {page: 7, search: "x", lang: langZH, chosen: true},
		"/?q=" + strings.Repeat("y", 500): {page: 1, search: strings.Repeat("y", maxSearch), lang: langEN},
		"/?q=%zz":                         {page: 1, lang: langEN},
	} {
		if got := askedFor(httptest.NewRequest("GET", target, nil)); got != want {
			t.Errorf("%s: %+v", target, got)
		}
	}
}

func TestTheBrowsersWish(t *testing.T) {
	for header, want := range map[string]string{
		"": langEN, "en": langEN, "zh": langZH, "zh-CN": langZH, "ZH-Hant-TW": langZH, "zh-CN,zh;q=0.9,en;q=0.8": langZH, "en-US,en;q=0.9,zh;q=0.8": langEN,
		"en;q=0.5, zh;q=0.9": langZH, "fr,zh;q=0.3": langZH, "fr, de;q=0.9": langEN, "*": langEN, "zh;q=0": langEN, "zh;q=x": langEN, "zhx": langEN, ";;,,": langEN,
	} {
		if got := wished(header); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

func TestThePageOfThousandsIsSmall(t *testing.T) {
	_, h := served(t, newFleet(many(5000)...))
	body := get(h, "/").Body.String()
	if n := strings.Count(body, `class="row`); n != perPage+1 || len(body) > 200_000 {
		t.Errorf("%d rows in %d bytes", n, len(body))
	}
	has(t, body, "1–50 of 5,000", fmt.Sprintf("Page 1 of %d", 5000/perPage))
}
