package deploy

import (
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// reads is what the operator may do, with what it shows.
var reads = map[string]string{
	"kv ls":                                    "wx_token",
	"kv ls wx_token":                           ownKey,
	"kv get wx_token --raw " + ownKey:          `"access_token"`,
	"kv history wx_token " + ownKey:            "PUT",
	"kv status wx_token":                       "$KV.wx_token.> to wx.token.update.>",
	"stream info KV_wx_token_ops":              "KV_wx_token_ops",
	"req wx.token.refresh." + ownAppID + " {}": "outcome",
	"req wx.token.refresh {}":                  "Nats-Service-Error-Code: 400", // which of two accounts?
	"micro ls":                                 "wx-token",
	"micro info wx-token":                      "wx.token.refresh.*",
	"micro stats wx-token":                     "refresh-account",
}

var writes = []string{
	"kv put wx_token " + ownKey + " x",
	"kv del wx_token " + ownKey + " --force",
	"kv purge wx_token " + ownKey + " --force",
	"kv put wx_token_ops lease." + ownAppID + " x",
	"kv del wx_token --force",
	"kv edit wx_token --history=1",
	"kv add mine",
	"stream purge KV_wx_token --force",
	"stream rm KV_wx_token_ops --force",
	"stream rmm KV_wx_token 1 --force",
}

const ownKey = ownAppID + ".access_token"

func TestTheOperatorReadsWatchesAndAsksButDoesNotWrite(t *testing.T) {
	if _, err := exec.LookPath("nats"); err != nil {
		t.Skip("the nats CLI is not on PATH (go install github.com/nats-io/natscli/nats@latest)")
	}
	w := newWorld(t)
	for args, want := range reads {
		out, err := w.nats("operator", strings.Fields(args)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("nats %s: no %q, %v:\n%s", args, want, err, out)
		}
	}
	w.follows(w.value(ownAppID).ID, "kv", "watch", "wx_token")
	before := w.written()
	var all sync.WaitGroup // each takes its timeout
	for _, args := range writes {
		cmd := w.nats("operator", strings.Fields(args)...)
		all.Go(func() {
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Errorf("nats %s went well:\n%s", args, out)
			}
		})
	}
	all.Wait()
	if after := w.written(); after != before {
		t.Errorf("streams were written: %s, before %s", after, before)
	}
}

// follows checks that a call that doesn't end by itself shows text.
func (w *world) follows(text string, args ...string) {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), patience)
	defer stop()
	call := w.nats("operator", args...)
	cmd := exec.CommandContext(ctx, call.Path, call.Args[1:]...)
	cmd.Env = call.Env
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	var shown strings.Builder
	for buf := make([]byte, 1024); err == nil && !strings.Contains(shown.String(), text); {
		var n int
		n, err = out.Read(buf)
		shown.Write(buf[:n])
	}
	stop()
	_ = cmd.Wait() // it was killed
	if err != nil {
		w.t.Errorf("nats %v: no %q in %q, %v", args, text, &shown, err)
	}
}

// nats is a call of the real nats CLI as a user, ready to run.
func (w *world) nats(user string, args ...string) *exec.Cmd {
	login := []string{"--no-context", "-s", w.server.ClientURL(), "--nkey", seedOf(user), "--inbox-prefix", inboxOf(user), "--timeout", "2s"}
	cmd := exec.CommandContext(w.t.Context(), "nats", append(login, args...)...)
	cmd.Env = []string{"HOME=" + w.t.TempDir(), "NO_COLOR=1"}
	return cmd
}
