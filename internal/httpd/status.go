package httpd

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handle adds GET /healthz, which is 200 while the process answers, /readyz and /metrics. What ready reports is sent as
// JSON, with status 200 or 503; it must show no token.
func Handle(mux *http.ServeMux, ready func() (ok bool, report any), metrics prometheus.Gatherer) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		JSON(w, http.StatusOK, map[string]bool{"ok": true})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		ok, report := ready()
		status := http.StatusOK
		if !ok {
			status = http.StatusServiceUnavailable
		}
		JSON(w, status, report)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
}

// JSON answers with v, and without a line feed behind it: there are SDKs of WeChat's API that can't parse that.
func JSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"error":"the answer can't be written as JSON"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(data) // fails only with the connection
}

// Error answers {"error":text}.
func Error(w http.ResponseWriter, status int, text string) {
	JSON(w, status, map[string]string{"error": text})
}
