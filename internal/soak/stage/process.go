package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Process is a program that can be killed, stopped and started again. One goroutine at a time may do that.
type Process struct {
	Name string

	path, dir string
	args, env []string
	lines     func(io.Reader) // reads its standard output, if set
	started   func()          // called after each start, if set
	ended     func()          // called after each end, if set

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts it. What it prints goes to <dir>/<name>.log, behind what it printed before.
func (p *Process) Start() error {
	log, err := os.OpenFile(p.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own
	cmd := exec.Command(p.path, p.args...)
	cmd.Env, cmd.Dir = append(p.env, "HOME="+p.dir), p.dir
	cmd.Stderr, cmd.Stdout = log, log
	cmd.SysProcAttr = attributes()
	var out io.ReadCloser
	if p.lines != nil {
		cmd.Stdout = nil
		if out, err = cmd.StdoutPipe(); err != nil {
			return err
		}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	done := make(chan struct{})
	p.mu.Lock()
	p.cmd, p.done = cmd, done
	p.mu.Unlock()
	if p.started != nil {
		p.started()
	}
	go func() {
		defer close(done)
		if out != nil {
			p.lines(out)
		}
		_ = cmd.Wait() // how it ended is known: somebody killed it, or awaits it
		if p.ended != nil {
			p.ended()
		}
	}()
	return nil
}

// Log is the file of what it prints.
func (p *Process) Log() string { return filepath.Join(p.dir, p.Name+".log") }

// PID is that of the process that was started last.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

// Started tells whether it ever was.
func (p *Process) Started() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil
}

// Running tells whether it runs.
func (p *Process) Running() bool {
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	if done == nil {
		return false
	}
	select {
	case <-done:
		return false
	default:
		return true
	}
}

// Kill ends it as kill -9 does, and waits for the end.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

// Stop asks it to end, and kills it if it doesn't within 10 s.
func (p *Process) Stop() error {
	late := time.AfterFunc(10*time.Second, p.Kill)
	p.end(syscall.SIGTERM)
	if !late.Stop() {
		return fmt.Errorf("%s didn't end within 10 s of SIGTERM", p.Name)
	}
	return nil
}

func (p *Process) end(s syscall.Signal) {
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	if done == nil {
		return
	}
	p.signal(s)
	<-done
}

// Pause stops it with SIGSTOP, until Resume.
func (p *Process) Pause() { p.signal(syscall.SIGSTOP) }

// Resume undoes Pause.
func (p *Process) Resume() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.cmd.Process.Signal(s) // it fails for one that has ended, which whoever awaits it sees
}

// await asks every 20 ms until the answer is nil.
func await(ctx context.Context, limit time.Duration, what string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %v for %s: %w", limit, what, errors.Join(err, context.Cause(ctx)))
		case <-look.C:
		}
	}
}
