package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/natstest"
)

// aheadVariable is by how many seconds the clock of a program made by buildWithClock is ahead.
const aheadVariable = "WXTOKEN_TEST_CLOCK_AHEAD"

// buildWithClock builds the program over a time package whose Now is off, for a machine has but one clock, and that is
// the tests' too.
func buildWithClock(t *testing.T) (path string) {
	t.Helper()
	dir := t.TempDir()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	changed := filepath.Join(dir, "time.go")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, changed, withClockAhead(t, original))
	writeFile(t, filepath.Join(dir, "overlay.json"), string(overlay))
	path = filepath.Join(dir, "wxtoken")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", path, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func withClockAhead(t *testing.T, timeGo string) string {
	t.Helper()
	source, err := os.ReadFile(timeGo)
	if err != nil {
		t.Skipf("needs Go's own source: %v", err)
	}
	const reading = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if !strings.Contains(string(source), reading) {
		t.Fatalf("%s reads the clock in another way than this test knows", timeGo)
	}
	return strings.NewReplacer("import (", "import (\n\t\"syscall\"\n", reading, reading+"\tsec += clockAhead\n").Replace(string(source)) + `
var clockAhead = func() int64 {
	text, _ := syscall.Getenv("` + aheadVariable + `")
	seconds, _ := atoi(text)
	return int64(seconds)
}()
`
}

// Two publishers on machines whose clocks are off by minutes in opposite directions, as services and WeChat see them.
func TestNobodyNoticesThatClocksAreOff(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Go's standard library anew")
	}
	program := buildWithClock(t)
	w := newWorld(t, 2*time.Hour, "WX_ENDPOINT=token", "WX_REFRESH_AHEAD=6s", "WX_HTTP_TIMEOUT=2s", "WX_LEASE_TTL=3s")
	w.natsURL = natstest.Start(t).URL()
	w.env = append(w.env, "NATS_URL="+w.natsURL)
	w.control(http.MethodPost, "/_sim/faults", `{"group":"mint","kind":"short_expires","expires_in":"12s"}`, nil)
	for _, ahead := range []int{13 * 60, -9 * 60} {
		p := startProgram(t, program, "publisher", append(w.env, fmt.Sprintf("%s=%d", aheadVariable, ahead))...)
		w.processes = append(w.processes, p)
		p.awaitLine("the NATS server's clock is another than ours")
	}
	service, stop := w.startService()
	service.awaitToken(4)
	stop()
	service.check()
	nc := w.connect()
	for _, v := range w.history(nc) {
		if age := time.Since(v.MintedAt); age < -time.Minute || age > patience+time.Minute {
			t.Errorf("minted at %v by %s, %v from now", v.MintedAt, v.Publisher, age)
		}
	}
	if mints, tokens := int(w.stats().Mints.Total()), len(service.tokens()); mints > tokens+1 {
		t.Errorf("%d mints for %d tokens", mints, tokens)
	}
	w.checkForSecrets(nc)
}
