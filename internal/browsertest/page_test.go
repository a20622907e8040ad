package browsertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/wxtoken/wxtoken/publisher"
)

var fleets = []struct {
	name string
	fleet
}{
	{"calm", calm()},
	{"single", fleet{accounts: calm().accounts[:1], around: publisher.Surroundings{
		Peers: cluster.Peers[:1], Server: publisher.Server{Name: "NDKQX7", Version: "2.15.2", RTT: time.Microsecond, Embedded: true},
		Buckets: []publisher.Bucket{{Name: "wx_token", Replicas: 1, Current: 1}, {Name: "wx_token_ops", Replicas: 1, Current: 1}},
	}}},
	{"troubled", troubled()},
	{"thousands", thousands()},
	{"down", fleet{accounts: calm().accounts, down: true}},
	{"empty", fleet{}},
}

// Whatever there is to show, at any width, in any language and in light and dark: it fits, and it can be read.
func TestThePageFitsAndCanBeRead(t *testing.T) {
	for _, f := range fleets {
		url := serve(t, f.fleet)
		for _, l := range looks {
			t.Run(fmt.Sprintf("%s-%v", f.name, l), func(t *testing.T) { checkLook(t, url, l) })
		}
	}
}

var looks = []look{
	{width: 1280, language: "en-GB"}, {width: 1280, language: "zh-CN", dark: true},
	{width: 800, language: "zh-CN"},
	{width: 390, language: "en-GB", dark: true}, {width: 390, language: "zh-CN"},
	{width: 320, language: "en-GB"},
}

func (l look) String() string {
	return fmt.Sprintf("%d-%s-%s", l.width, l.language, l.scheme())
}

func checkLook(t *testing.T, url string, l look) {
	tb := open(t, url, l)
	tb.await(`document.querySelector("#live").className === "live live"`)
	eval[chromedp.Void](tb, `document.querySelectorAll("#rows > li:nth-child(-n+2) details").forEach(d => d.open = true)`)
	if wide := eval[int64](tb, `document.documentElement.scrollWidth`); wide > l.width {
		t.Errorf("it is %d wide: %v", wide, eval[[]string](tb, fmt.Sprintf(tooWide, l.width)))
	}
	if bad := eval[[]string](tb, contrast); len(bad) > 0 {
		t.Errorf("too little contrast: %q", bad)
	}
	if lang := eval[string](tb, `document.documentElement.lang`); !strings.HasPrefix(l.language, lang[:2]) {
		t.Errorf("language %s", lang)
	}
	tb.shoot(strings.ReplaceAll(t.Name(), "/", "-"))
}

// tooWide names the elements that stick out.
const tooWide = `[...document.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > %d).map(e => e.outerHTML.slice(0, 120))`

// contrast names the texts whose colour is too near to their ground's for WCAG's level AA.
const contrast = `(() => {
  const parse = (c) => (c.match(/[\d.]+/g) || []).map(Number);
  const lum = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const bad = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || e.closest("noscript, [hidden]")) continue;
    const [a, b] = [lum(parse(getComputedStyle(e).color)), lum(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad.add(ratio.toFixed(2) + " " + walker.currentNode.data.trim().slice(0, 40));
  }
  return [...bad];
})()`

// Every control has a name, and the headings go down step by step.
func TestThePageHasNamesForEverything(t *testing.T) {
	tb := open(t, serve(t, troubled()), look{width: 1280})
	nameless := eval[[]string](tb, `[...document.querySelectorAll("a, button, input:not([type=hidden]), summary, section, nav, svg, [role=img]")]
		.filter(e => !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.textContent.trim())).map(e => e.outerHTML.slice(0, 120))`)
	if len(nameless) > 0 {
		t.Errorf("no name: %q", nameless)
	}
	levels := eval[[]int](tb, `[...document.querySelectorAll("h1,h2,h3,h4,h5,h6")].map(h => Number(h.nodeName[1]))`)
	for i := range levels {
		if i == 0 && levels[i] != 1 || i > 0 && levels[i] > levels[i-1]+1 {
			t.Errorf("headings: %v", levels)
			break
		}
	}
	if ids := eval[[]string](tb, `[...document.querySelectorAll("[id]")].map(e => e.id)`); len(slices.Compact(slices.Sorted(slices.Values(ids)))) != len(ids) {
		t.Errorf("an id is there twice: %q", ids)
	}
}

func TestThePageWorksWithoutJavaScript(t *testing.T) {
	tb := open(t, serve(t, thousands()), look{width: 390, noScript: true})
	first, hint := tb.text("#rows li:first-child h3"), tb.text("noscript p")
	if first != "wx404404404404404f" || hint == "" {
		t.Errorf("the first account is %q, the hint %q", first, hint)
	}
	tb.run(chromedp.SendKeys(chromedp.CSS("input[type=search]"), "0123456789"+kb.Enter), chromedp.WaitVisible(chromedp.CSS("a.clear")))
	found, pager := tb.text("#rows"), tb.text("#pager")
	if !strings.Contains(found, "wx0123456789abcdef") || strings.Contains(found, "wx404") || !strings.Contains(pager, "of 1") {
		t.Errorf("found %q, %q", found, pager)
	}
	tb.shoot("search-without-javascript")
}

func TestPagesAreTurnedAndKeepTheirLanguage(t *testing.T) {
	tb := open(t, serve(t, thousands()), look{width: 1280})
	tb.run(
		chromedp.Click(chromedp.CSS(`nav.lang a[lang="zh-CN"]`)), chromedp.WaitVisible(chromedp.CSS(`html[lang="zh-CN"]`)),
		chromedp.Click(chromedp.CSS(`a[rel=next]`)), chromedp.WaitVisible(chromedp.CSS(`a[rel=prev]`)),
	)
	if text := tb.text("#pager"); !strings.Contains(text, "第 51–100 个，共 5,000 个") {
		t.Errorf("the pager says %q", text)
	}
}

func (tb *tab) text(selector string) string {
	tb.t.Helper()
	return get(tb, chromedp.Text(chromedp.CSS(selector)))
}
