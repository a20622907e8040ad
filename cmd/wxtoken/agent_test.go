package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wxsim"
)

// startAgent starts an agent at addr and waits until it is ready.
func (w *world) startAgent(addr string, env ...string) *process {
	w.t.Helper()
	p := start(w.t, "agent", append([]string{"WX_AGENT_ADDR=" + addr, "WX_API_BASE=" + w.simURL, "NATS_URL=" + w.natsURL}, env...)...)
	w.processes = append(w.processes, p)
	await(w.t, "the agent", func() bool { status, _ := askAgent(w.t, addr, "/readyz"); return status == http.StatusOK })
	return p
}

// askAgent is a GET; status is 0 while nothing answers.
func askAgent(t *testing.T, addr, path string) (status int, body string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		if socket, isUnix := strings.CutPrefix(addr, "unix:"); isUnix {
			return d.DialContext(ctx, "unix", socket)
		}
		return d.DialContext(ctx, "tcp", addr)
	}}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return resp.StatusCode, string(data)
}

func TestAgentBadConfigurationExitsWith2(t *testing.T) {
	p := start(t, "agent", "WX_AGENT_ADDR=0.0.0.0:9403", "WX_APPIDS=a b", "WX_LOG_LEVEL=info")
	if code := p.wait(); code != exitConfiguration || !strings.Contains(p.out.String(), "2 mistake(s)") {
		t.Errorf("exit code %d: %s", code, p.out)
	}
}

// A service of any language: curl, with no token.
func TestAgentServesCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("no curl here")
	}
	w := newWorld(t, 5*time.Minute)
	w.startPublisher()
	addr, tokens := freeAddr(t), filepath.Join(t.TempDir(), "tokens")
	p := w.startAgent(addr, "WX_TOKEN_DIR="+tokens)
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), curl, append([]string{"-sS", "-m", "30"}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("curl %v: %v %s", args, err, out)
		}
		return string(out)
	}
	if got := run("http://" + addr + "/cgi-bin/user/get"); got != `{"errcode":0,"errmsg":"ok"}` {
		t.Errorf("call: %s", got)
	}
	w.control(http.MethodPost, "/_sim/revoke", `{"appid":"`+testAppID+`","channel":"stable_token"}`, nil)
	if got := run("http://"+addr+"/cgi-bin/menu/create", "-d", `{"button":[]}`); got != `{"errcode":0,"errmsg":"ok"}` {
		t.Errorf("call after the token was revoked: %s", got)
	}
	picture := filepath.Join(t.TempDir(), "picture")
	data, err := io.ReadAll(wxsim.Media("up", 3<<20))
	if err == nil {
		err = os.WriteFile(picture, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := run("http://"+addr+"/cgi-bin/media/upload?type=image", "-F", "media=@"+picture); !strings.Contains(got, wxsim.MediaSHA256("up", 3<<20)) {
		t.Errorf("upload: %s", got)
	}
	want, err := os.ReadFile(filepath.Join(tokens, testAppID+".access_token"))
	if err != nil {
		t.Error(err)
	}
	got := run("http://" + addr + "/cgi-bin/token?grant_type=client_credential&secret=none&appid=" + testAppID)
	if !strings.HasPrefix(got, `{"access_token":"`) || len(want) == 0 {
		t.Error("no token is given")
	}
	if got := run("http://"+addr+"/cgi-bin/user/get", "-H", "Host: evil.example"); !strings.Contains(got, "error") {
		t.Errorf("rebound name: %s", got)
	}
	if code := p.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	w.checkForSecrets(w.connect())
}

// Killed, the agent leaves its socket behind. The next one takes it; SIGHUP kills none.
func TestAgentKilledAndRestarted(t *testing.T) {
	w := newWorld(t, 5*time.Minute)
	w.startPublisher()
	addr := "unix:" + filepath.Join(t.TempDir(), "agent.sock")
	for range 3 {
		p := w.startAgent(addr)
		p.signal(syscall.SIGHUP)
		p.awaitLine("SIGHUP has nothing to read again")
		if status, body := askAgent(t, addr, "/cgi-bin/user/get"); status != http.StatusOK || !strings.Contains(body, `"errcode":0`) {
			t.Errorf("%d %s", status, body)
		}
		p.kill()
	}
	w.checkForSecrets(w.connect())
}

// megabytes is the most memory that the process has ever held.
func (p *process) megabytes() int {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Skip("no /proc here")
	}
	for line := range strings.Lines(string(status)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				p.t.Fatal(err)
			}
			return kb >> 10
		}
	}
	p.t.Fatal("no VmHWM")
	return 0
}

func TestAgentStreamsInFlatMemory(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("moves more than 1 GiB, and measures memory")
	}
	w := newWorld(t, 5*time.Minute)
	w.startPublisher()
	addr := freeAddr(t)
	p := w.startAgent(addr)
	const down, up = 1 << 30, 256 << 20
	resp, err := http.Get(fmt.Sprintf("http://%s/cgi-bin/media/get?media_id=big&size=%d", addr, down))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	n, err := io.Copy(sum, resp.Body)
	resp.Body.Close()
	if err != nil || n != down || resp.ContentLength != down || hex.EncodeToString(sum.Sum(nil)) != wxsim.MediaSHA256("big", down) {
		t.Errorf("download: %d bytes of %d, %v", n, resp.ContentLength, err)
	}
	for _, length := range []int64{up, -1} { // once with a length, once chunked
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/cgi-bin/media/upload?type=file", wxsim.Media("up", up))
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = length
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(data), wxsim.MediaSHA256("up", up)) {
			t.Errorf("upload: %s %v", data, err)
		}
	}
	if mb := p.megabytes(); mb >= 64 {
		t.Errorf("the agent held %d MiB", mb)
	} else {
		t.Logf("the agent held %d MiB", mb)
	}
}

// Clients that hold a connection and do nothing, send one byte a second, or never read, keep nobody from calling.
func TestAgentBearsIdleAndSlowClients(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("opens 10,000 connections")
	}
	const idle, slow = 10_000, 200
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < idle+4*slow {
		t.Skipf("needs more open files than the limit of %d (ulimit -n)", files.Cur)
	}
	w := newWorld(t, 5*time.Minute)
	w.startPublisher()
	addr := freeAddr(t)
	p := w.startAgent(addr)
	dial := func(send string) net.Conn {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, send); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	for range idle {
		conn := dial("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, err := conn.Read(make([]byte, 512)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d idle connections: %d MiB", idle, p.megabytes())
	for range slow {
		dial("GET /cgi-bin/media/get?media_id=x&size=1000000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
		dial("POST /cgi-bin/menu/create HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n{")
		dial("GET /cgi-bin/user/get HT")
	}
	for range 100 {
		if status, body := askAgent(t, addr, "/cgi-bin/user/get"); status != http.StatusOK || !strings.Contains(body, `"errcode":0`) {
			t.Fatalf("%d %s", status, body)
		}
	}
	t.Logf("and %d that don't read, %d that don't go on: %d MiB", slow, 2*slow, p.megabytes())
}
