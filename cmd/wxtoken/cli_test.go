package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/logtest"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// natsCLI runs the real nats command against a server.
type natsCLI struct {
	t       *testing.T
	path    string
	natsURL string
}

func newNATSCLI(t *testing.T, natsURL string) natsCLI {
	t.Helper()
	path, err := exec.LookPath("nats")
	if err != nil {
		t.Skip("the nats CLI is not on PATH (go install github.com/nats-io/natscli/nats@latest)")
	}
	return natsCLI{t, path, natsURL}
}

// command is one call of it, ready to run.
func (n natsCLI) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(n.t.Context(), n.path, append([]string{"--no-context", "-s", n.natsURL}, args...)...)
	cmd.Env = []string{"HOME=" + n.t.TempDir(), "NO_COLOR=1"}
	return cmd
}

// run returns what a call prints on standard output.
func (n natsCLI) run(args ...string) string {
	n.t.Helper()
	var stderr strings.Builder
	cmd := n.command(args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		n.t.Fatalf("nats %s: %v\n%s%s", strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}

// follow starts a call that doesn't end by itself, and returns what it prints.
func (n natsCLI) follow(args ...string) *logtest.Output {
	n.t.Helper()
	out := &logtest.Output{}
	cmd := n.command(args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		_ = cmd.Wait() // the test's ctx has ended, so it was killed
	})
	return out
}

func TestPeopleInspectItWithTheNATSCLI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Hour, "WX_MIN_REFRESH_INTERVAL=0s", "WX_ENDPOINT=token")
	w.startPublisher().awaitLine("token minted and stored")
	cli := newNATSCLI(t, w.natsURL)
	key := wire.Key(testAppID, wire.KindAccessToken)
	value := func() wire.Value {
		t.Helper()
		v, err := wire.DecodeValue([]byte(strings.TrimSpace(cli.run("kv", "get", "--raw", "wx_token", key))))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	request := func(subject, payload string) (reply wire.Reply) {
		t.Helper()
		if err := json.Unmarshal([]byte(cli.run("req", "--raw", subject, payload)), &reply); err != nil {
			t.Fatal(err)
		}
		return reply
	}

	first := value()
	watch, updates := cli.follow("kv", "watch", "wx_token"), cli.follow("sub", "wx.token.update.>")
	await(t, "the watch", func() bool { return strings.Contains(watch.String(), first.ID) })
	await(t, "the subscription", func() bool { return strings.Contains(updates.String(), "Subscribing") })

	byHand := request("wx.token.refresh", "")
	if byHand.Outcome != wire.Replaced || byHand.ID == first.ID {
		t.Errorf("nats req: %+v", byHand)
	}
	if again := request("wx.token.refresh", `{"id":"`+first.ID+`","errcode":42001}`); again.Outcome != wire.AlreadyReplaced || again.ID != byHand.ID {
		t.Errorf("report of the token before: %+v", again)
	}
	if wrong := request("wx.token.refresh."+testAppID, `{"id":"`+byHand.ID+`"}`); wrong.Outcome != wire.StillValid {
		t.Errorf("report of a good token: %+v", wrong)
	}
	if v := value(); v.ID != byHand.ID || v.PreviousID != first.ID || v.Reason != wire.ReasonManual {
		t.Errorf("stored: %+v", v)
	}

	w.control("POST", "/_sim/revoke", `{"channel":"token"}`, nil)
	cli.run("pub", "wx.token.refresh", `{"appid":"`+testAppID+`","id":"`+byHand.ID+`","errcode":42001}`)
	await(t, "what a plain publish leads to", func() bool { return value().ID != byHand.ID })
	newest := value()

	history := cli.run("kv", "history", "wx_token", key)
	if strings.Count(history, "PUT") != 3 {
		t.Errorf("history: %s", history)
	}
	for name, out := range map[string]*logtest.Output{"nats kv watch": watch, "nats sub": updates} {
		await(t, name+" to show the newest", func() bool { return strings.Contains(out.String(), newest.ID) })
	}
	for args, want := range map[string]string{
		"micro ls":                     "wx-token",
		"micro info wx-token":          "wx.token.refresh.*",
		"micro stats wx-token":         "refresh-account",
		"kv info wx_token":             "$KV.wx_token.> to wx.token.update.>",
		"req wx.token.refresh garbage": "Nats-Service-Error-Code: 400",
		"req wx.token.refresh.wx0 {}":  "Nats-Service-Error-Code: 404",
	} {
		cmd := cli.command(strings.Fields(args)...)
		out, err := cmd.CombinedOutput() // it prints headers beside its output
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("nats %s: no %q, %v:\n%s", args, want, err, out)
		}
	}
}
