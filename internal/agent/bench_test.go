package agent

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What the agent adds to a call, beside a bare httputil.ReverseProxy to the same WeChat and one with a pool of buffers, with
// one connection and with 64.
// WeChat here is a handler that does nothing, so all that is measured is proxies.
func BenchmarkCall(b *testing.B) {
	for _, clients := range []int{1, 64} {
		for _, by := range []string{"ours", "proxy", "pooled-proxy"} {
			b.Run(fmt.Sprintf("clients=%d/by=%s", clients, by), func(b *testing.B) {
				w := newWorld(b, func(c *Config) { c.Logger = slog.New(slog.DiscardHandler) }, first)
				w.wx.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					rw.Header().Set("Content-Type", "application/json; encoding=utf-8")
					_, _ = io.WriteString(rw, fineAnswer)
				})
				target := w.url
				if by != "ours" {
					target = bare(b, w.wx.URL, by == "pooled-proxy")
				}
				load(b, target, clients)
			})
		}
	}
}

// bare is a proxy that adds a token and does nothing else. Without a pool it makes a buffer of 32 KiB for each call.
func bare(b *testing.B, to string, pooled bool) string {
	base, err := url.Parse(to)
	must(b, err)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = maxIdle
	b.Cleanup(transport.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(base)
			q := r.Out.URL.Query()
			q.Set("access_token", strings.Repeat("x", 136))
			r.Out.URL.RawQuery = q.Encode()
		},
	}
	if pooled {
		proxy.BufferPool = &buffers{}
	}
	server := httptest.NewServer(proxy)
	b.Cleanup(server.Close)
	return server.URL
}

// load makes b.N calls from so many clients, and reports percentiles.
func load(b *testing.B, target string, clients int) {
	body := `{"touser":"o","msgtype":"text","text":{"content":"` + strings.Repeat("x", 200) + `"}}`
	var left atomic.Int64
	left.Store(int64(b.N))
	took := make([][]time.Duration, clients)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	b.ReportAllocs()
	before := cpu(b)
	b.ResetTimer()
	var wait sync.WaitGroup
	for i := range clients {
		wait.Go(func() {
			for left.Add(-1) >= 0 {
				began := time.Now()
				resp, err := client.Post(target+"/cgi-bin/message/custom/send", "application/json", strings.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				data, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(data) != fineAnswer {
					b.Errorf("%s %v", data, err)
				}
				took[i] = append(took[i], time.Since(began))
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/call")
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// cpu is the time that all of this process has used: client, proxy and WeChat. Unlike latencies it hardly depends on
// what else the machine does.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
