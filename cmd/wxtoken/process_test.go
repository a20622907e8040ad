package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/logtest"
)

// TestMain makes the test binary a wxtoken, or a NATS server, when it is started as one, so that tests run real processes.
func TestMain(m *testing.M) {
	switch os.Getenv("WXTOKEN_TEST_PROCESS") {
	case "":
		os.Exit(m.Run())
	case natsCommand:
		runNATS()
	default:
		main()
	}
}

// patience is how long a test waits for what should take milliseconds. It is no bound to be kept.
const patience = 60 * time.Second

// process is a running wxtoken.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *logtest.Output
	done chan struct{} // closed when it has ended
}

// start runs a command with nothing in its environment but env.
func start(t *testing.T, command string, env ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startProgram(t, self, command, append([]string{"WXTOKEN_TEST_PROCESS=1"}, env...)...)
}

// startProgram is start for a program that was built elsewhere.
func startProgram(t *testing.T, path, command string, env ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(path, command), out: &logtest.Output{}, done: make(chan struct{})}
	p.cmd.Env = append([]string{"WX_HTTP_ADDR=", "HOME=" + t.TempDir(), "WX_LOG_LEVEL=debug"}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // its exit code is asked for in stop
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s printed:\n%s", command, p.out.Tail())
		}
	})
	return p
}

// stop asks the process to end and returns its exit code.
func (p *process) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	return p.wait()
}

// kill ends the process as `kill -9` does.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	p.wait()
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%v: %v", s, err)
	}
}

func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatal("the process doesn't end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// awaitLine waits until the process has printed text.
func (p *process) awaitLine(text string) {
	p.t.Helper()
	await(p.t, "the line "+text, func() bool { return strings.Contains(p.out.String(), text) })
}

// await polls for what has no signal of its own, in another process.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-poll.C:
		}
	}
}

var portsGiven atomic.Uint32

// freeAddr is a loopback address that nothing listens on. Its port is none that the kernel gives to outgoing connections:
// while the server behind it is down, one of these could take it, and its own clients could even connect to themselves.
func freeAddr(t *testing.T) string {
	t.Helper()
	const first, ports = 20_000, 12_000
	for range ports {
		n := (uint32(os.Getpid())*101 + portsGiven.Add(1)) % ports
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+n))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}
