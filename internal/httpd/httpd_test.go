package httpd

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// served runs a server on addr until stop is called, or the test ends.
func served(t *testing.T, addr string, h http.Handler) (l net.Listener, stop func() error) {
	t.Helper()
	l, err := Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, h, slog.New(slog.DiscardHandler)) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	return l, stop
}

func unixClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

func TestGuard(t *testing.T) {
	h := Guard(http.HandlerFunc(ok), "agent.internal")
	for _, c := range []struct {
		host   string
		header http.Header
		want   int
	}{
		{"127.0.0.1:9403", nil, 200},
		{"localhost:9403", nil, 200},
		{"LOCALHOST.", nil, 200},
		{"[::1]:9403", nil, 200},
		{"[::1]", nil, 200},
		{"10.1.2.3", nil, 200},
		{"Agent.Internal:80", nil, 200},
		{"", nil, 200},
		{"evil.example", nil, 421},
		{"127.0.0.1.evil.example:9403", nil, 421},
		{"localhost.evil.example", nil, 421},
		{"127.0.0.1", http.Header{"Origin": {"https://evil.example"}}, 403},
		{"127.0.0.1", http.Header{"Origin": {"null"}}, 403},
		{"127.0.0.1", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		{"127.0.0.1", http.Header{"Sec-Fetch-Site": {"same-site"}}, 403},
		{"127.0.0.1", http.Header{"Sec-Fetch-Site": {"none"}}, 200},
		{"127.0.0.1", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"http://127.0.0.1"}}, 200},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = c.host
		r.Header = c.header
		if r.Header == nil {
			r.Header = http.Header{}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%q %v: %d, want %d", c.host, c.header, w.Code, c.want)
		}
		for name := range w.Header() {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%q: header %s", c.host, name)
			}
		}
	}
}

func TestStatusEndpoints(t *testing.T) {
	var good bool
	mux := http.NewServeMux()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "things_total", Help: "Things."})
	registry.MustRegister(counter)
	Handle(mux, func() (bool, any) { return good, map[string]string{"why": "because"} }, registry)
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	if code, _ := get("/healthz"); code != 200 {
		t.Errorf("healthz: %d", code)
	}
	if code, text := get("/readyz"); code != 503 || !strings.Contains(text, "because") {
		t.Errorf("readyz: %d %s", code, text)
	}
	good = true
	if code, _ := get("/readyz"); code != 200 {
		t.Errorf("readyz: %d", code)
	}
	if code, text := get("/metrics"); code != 200 || !strings.Contains(text, "things_total 0") {
		t.Errorf("metrics: %d %s", code, text)
	}
}

// A process that was killed leaves its socket behind; that kept the next one from starting.
func TestUnixSocketOutlivesItsProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	left, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	left.Close()
	l, stop := served(t, "unix:"+path, Guard(http.HandlerFunc(ok)))
	if URL(l) != "unix:"+path {
		t.Errorf("URL %s", URL(l))
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	resp, err := unixClient(path).Get("http://any.name/")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("call: %v, %v", resp, err)
	}
	resp.Body.Close()
	if _, err := Listen("unix:" + path); err == nil {
		t.Error("a socket in use was taken")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left")
	}
}

func TestListenLeavesFilesAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen("unix:" + path); err == nil {
		t.Error("a file was replaced")
	}
}

func TestServeLetsRunningCallsEnd(t *testing.T) {
	inside, goOn := make(chan bool), make(chan bool)
	l, stop := served(t, "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside <- true
		<-goOn
		ok(w, r)
	}))
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get(URL(l))
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		data, _ := io.ReadAll(resp.Body)
		answered <- string(data)
	}()
	<-inside
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for { // until it takes no more calls
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		conn.Close()
	}
	close(goOn)
	if got := <-answered; got != "ok" {
		t.Errorf("the running call got %s", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestServeSaysThatItsListenerFailed(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := Serve(t.Context(), l, http.HandlerFunc(ok), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("no error")
	}
}

func TestAddresses(t *testing.T) {
	for addr, want := range map[string]struct{ valid, local bool }{
		"127.0.0.1:9403":    {true, true},
		"localhost:9403":    {true, true},
		"[::1]:0":           {true, true},
		"unix:/run/x.sock":  {true, true},
		"0.0.0.0:9403":      {true, false},
		":9403":             {true, false},
		"127.evil.example:": {true, false},
		"agent:9403":        {true, false},
		"unix:x.sock":       {false, true},
		"9403":              {false, false},
		"127.0.0.1:x y":     {false, true},
	} {
		if err := CheckAddr(addr); (err == nil) != want.valid {
			t.Errorf("CheckAddr(%q): %v", addr, err)
		}
		if Local(addr) != want.local {
			t.Errorf("Local(%q): %v", addr, !want.local)
		}
	}
}
