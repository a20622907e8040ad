package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthAsksThePublisher(t *testing.T) {
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("path " + r.URL.Path + "\n"))
	}))
	addr := s.Listener.Addr().String()
	_, port, _ := strings.Cut(addr, ":")
	health := func(env ...string) (int, string) {
		for i := 0; i < len(env); i += 2 {
			t.Setenv(env[i], env[i+1])
		}
		var out bytes.Buffer
		return run(t.Context(), []string{"health"}, &out, &out), out.String()
	}
	for _, own := range []string{addr, ":" + port, "0.0.0.0:" + port} {
		if code, out := health("WX_HTTP_ADDR", own); code != exitOK || out != "path /readyz\n" {
			t.Errorf("%s: exit code %d, %q", own, code, out)
		}
	}
	if code, out := health("WX_HEALTH_URL", s.URL+"/healthz"); code != exitOK || out != "path /healthz\n" {
		t.Errorf("exit code %d, %q", code, out)
	}
	status = http.StatusServiceUnavailable
	if code, out := health(); code != exitFailure || !strings.Contains(out, "503") {
		t.Errorf("not ready: exit code %d, %q", code, out)
	}
	s.Close()
	if code, _ := health(); code != exitFailure {
		t.Errorf("nobody there: exit code %d", code)
	}
	for _, wrong := range []string{"agent", "https://x/", "127.0.0.1:9403"} {
		if code, out := health("WX_HEALTH_URL", wrong); code != exitConfiguration {
			t.Errorf("%s: exit code %d, %q", wrong, code, out)
		}
	}
}
