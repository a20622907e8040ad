package browsertest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/wxtoken/wxtoken/internal/httpd"
	"github.com/wxtoken/wxtoken/internal/statuspage"
)

// patience is how long a test waits for what should take milliseconds. It is no bound to be kept.
const patience = time.Minute

var browser context.Context // nil = there is none

// TestMain runs one browser for all tests.
func TestMain(m *testing.M) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		os.Exit(m.Run())
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("accept-lang", "en"))
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		panic(err)
	}
	browser = ctx
	code := m.Run()
	end()
	endAllocator()
	os.Exit(code)
}

// serve is a server with the page, and nothing else than a publisher has.
func serve(t *testing.T, src statuspage.Source) (url string) {
	t.Helper()
	page := statuspage.New(src)
	mux := http.NewServeMux()
	page.Handle(mux)
	server := httptest.NewServer(httpd.Guard(mux))
	t.Cleanup(server.Close)
	t.Cleanup(page.Close)
	return server.URL
}

// look is how somebody looks at the page.
type look struct {
	width    int64
	dark     bool
	language string // of the browser; "" = English
	noScript bool
}

// tab is a page of the browser.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string

	mu       sync.Mutex
	problems []string
}

// open shows url. Whatever the browser complains of fails the test.
func open(t *testing.T, url string, l look) *tab {
	t.Helper()
	if browser == nil {
		t.Skip("there is no chromium: apt-get install chromium fonts-noto-cjk")
	}
	ctx, end := chromedp.NewContext(browser)
	t.Cleanup(end)
	ctx, cancel := context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	tb := &tab{t: t, ctx: ctx, url: url}
	if err := chromedp.Listen(ctx, tb.listen); err != nil {
		t.Fatalf("browser: %v", err)
	}
	t.Cleanup(tb.complain)
	tb.run(l.emulate()...)
	tb.run(chromedp.Navigate(url))
	return tb
}

func (l look) emulate() []chromedp.Action[chromedp.Void] {
	screen := emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: 900, DeviceScaleFactor: 1, Mobile: l.width < 500}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme()}}}
	actions := []chromedp.Action[chromedp.Void]{call(emulation.SetDeviceMetricsOverride, screen), call(emulation.SetEmulatedMedia, media)}
	if l.language != "" {
		agent := emulation.SetUserAgentOverrideParams{UserAgent: "browsertest", AcceptLanguage: l.language}
		actions = append(actions, call(emulation.SetUserAgentOverride, agent))
	}
	if l.noScript {
		actions = append(actions, call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	}
	return actions
}

func (l look) scheme() string {
	if l.dark {
		return "dark"
	}
	return "light"
}

// call is a command as a step.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}

// listen takes note of requests to elsewhere, and of what the browser has to say.
func (tb *tab) listen(event any) {
	problem := ""
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, originOf(tb.url)) {
			problem = "asks " + e.Request.URL
		}
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 {
			problem = "gets " + e.Response.StatusText + " for " + e.Response.URL
		}
	case *log.EventEntryAdded:
		problem = "logs " + e.Entry.Text
	case *runtime.EventExceptionThrown:
		problem = "throws " + e.ExceptionDetails.Text
	}
	if problem != "" {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		tb.problems = append(tb.problems, problem)
	}
}

func (tb *tab) complain() {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	for _, p := range tb.problems {
		tb.t.Errorf("the browser %s", p)
	}
}

func originOf(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host + "/"
}

func (tb *tab) run(steps ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	if err := chromedp.Do(tb.ctx, steps...); err != nil {
		tb.t.Fatalf("browser: %v", err)
	}
}

// get is what a step finds.
func get[T any](tb *tab, step chromedp.Action[T]) T {
	tb.t.Helper()
	result, err := chromedp.Run(tb.ctx, step)
	if err != nil {
		tb.t.Fatalf("browser: %v", err)
	}
	return result
}

// eval is what a script on the page gives.
func eval[T any](tb *tab, script string) T {
	tb.t.Helper()
	return get(tb, chromedp.Evaluate[T](script))
}

// await waits until the script gives true.
func (tb *tab) await(script string) {
	tb.t.Helper()
	get(tb, chromedp.Poll[bool](script, chromedp.WithPollingTimeout(patience)))
}

// shoot leaves a picture of the whole page, where somebody wants it.
func (tb *tab) shoot(name string) {
	tb.t.Helper()
	dir := os.Getenv("WX_SHOTS")
	if dir == "" {
		return
	}
	png := get(tb, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		tb.t.Fatal(err)
	}
}
