package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// get is what a publisher answers at addr.
func get(t *testing.T, addr, path string, header http.Header) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	if host := header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func TestAPublisherTellsHowItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Hour)
	addr := freeAddr(t)
	p := w.startPublisher("WX_HTTP_ADDR=" + addr)
	await(t, "a publisher that is ready", func() bool {
		status, _ := get(t, addr, "/readyz", nil)
		return status == http.StatusOK
	})
	if status, _ := get(t, addr, "/healthz", nil); status != http.StatusOK {
		t.Errorf("healthz: %d", status)
	}
	if status, _ := get(t, addr, "/readyz", http.Header{"Host": {"evil.example"}}); status != http.StatusMisdirectedRequest {
		t.Errorf("a web page under another name: %d", status)
	}
	_, metrics := get(t, addr, "/metrics", nil)
	for _, line := range []string{
		`wxtoken_mints_total{endpoint="stable_token",reason="startup",result="minted"} 1`, `wxtoken_accounts{state="live"} 1`,
		`wxtoken_build_info{`, `process_resident_memory_bytes`, `wxtoken_token_expires_in_seconds{appid="` + testAppID + `"} 7`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
	checkMetrics(t, metrics)
	nc := w.connect()
	tok, err := w.open(nc).Token()
	if err != nil || strings.Contains(metrics, tok.AccessToken()) || strings.Contains(metrics, testSecret) {
		t.Errorf("metrics show a token or the secret, or there is none: %v", err)
	}
	_, page := get(t, addr, "/", nil)
	if strings.Contains(page, tok.AccessToken()) || strings.Contains(page, testSecret) || !strings.Contains(page, tok.ID) || !strings.Contains(page, testAppID) {
		t.Errorf("the status page shows a token or the secret, or not the account with its token's id: %s", page)
	}
	w.checkForSecrets(nc)
	if code := p.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// checkMetrics lets Prometheus judge names, types, units and help texts.
func checkMetrics(t *testing.T, metrics string) {
	t.Helper()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("metrics are not linted: that needs promtool, of Debian's package prometheus")
		return
	}
	lint := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	lint.Stdin = strings.NewReader(metrics)
	if out, err := lint.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// The stream of somebody who watches never ends by itself, and a shutdown waited for it.
func TestAPublisherStopsAlthoughSomebodyWatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Hour)
	addr := freeAddr(t)
	p := w.startPublisher("WX_HTTP_ADDR=" + addr)
	p.awaitLine("token minted")
	resp, err := http.Get("http://" + addr + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: {") {
	}
	if !strings.Contains(lines.Text(), testAppID) {
		t.Errorf("the stream says %q, %v", lines.Text(), lines.Err())
	}
	if code := p.stop(); code != exitOK || strings.Contains(p.out.String(), "cut off") {
		t.Errorf("exit code %d", code)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Errorf("the stream ends with %v", err)
	}
}

func TestAPublisherThatIsNotReadySaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Hour)
	addr := freeAddr(t)
	w.startPublisher("WX_HTTP_ADDR="+addr, "WX_SECRET=ffffffffffffffffffffffffffffffff").awaitLine("mint failed")
	status, body := get(t, addr, "/readyz", nil)
	var answer readiness
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	if status != http.StatusServiceUnavailable || answer.Ready || answer.Store != "ok" || len(answer.Troubled) != 1 ||
		answer.Troubled[0].ErrCode != 40125 || answer.Troubled[0].RetryAt == "" || !strings.Contains(answer.Troubled[0].Problem, "AppSecret") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := get(t, addr, "/healthz", nil); status != http.StatusOK {
		t.Errorf("healthz: %d", status)
	}
}

func TestATakenAddressIsToldWithItsVariable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Hour)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	p := w.startPublisher("WX_HTTP_ADDR=" + taken.Addr().String())
	p.awaitLine("set WX_HTTP_ADDR to another address")
	if code := p.wait(); code != exitFailure {
		t.Errorf("exit code %d", code)
	}
}
