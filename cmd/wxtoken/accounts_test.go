package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/subscriber"
)

const (
	secondAppID = "wx00000000000000b2"
	wrongSecret = "ffffffffffffffffffffffffffffffff"
)

// withFile is a world whose publisher has its accounts from a file. The simulator knows both accounts.
func withFile(t *testing.T, accounts string) (w *world, path string) {
	t.Helper()
	w = newWorld(t, 2*time.Hour)
	w.control(http.MethodPost, "/_sim/accounts", fmt.Sprintf(`{"appid":%q,"secret":%q}`, secondAppID, testSecret), nil)
	path = filepath.Join(t.TempDir(), "accounts.json")
	replaceFile(t, path, accounts)
	w.without("WX_APPID", "WX_SECRET")
	w.env = append(w.env, "WX_ACCOUNTS_FILE="+path)
	return w, path
}

// without takes variables out of the publishers' environment.
func (w *world) without(names ...string) {
	w.env = slices.DeleteFunc(w.env, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(names, name)
	})
}

// replaceFile is how careful programs write: a new file, renamed over the old one.
func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func entry(appid, secret string) string {
	return fmt.Sprintf(`{"appid":%q,"secret":%q}`, appid, secret)
}

func (w *world) tokenOf(nc *nats.Conn, appid string) subscriber.Token {
	w.t.Helper()
	src, err := subscriber.Open(w.t.Context(), nc, appid)
	if err != nil {
		w.t.Fatal(err)
	}
	defer src.Close()
	tok, err := src.Token()
	if err != nil {
		w.t.Fatal(err)
	}
	return tok
}

// answer is the code that a request about the account is answered with, or 0.
func (w *world) answer(nc *nats.Conn, appid string) string {
	w.t.Helper()
	msg, err := nc.Request(wire.DefaultNames().AccountRefreshSubject(appid), []byte(`{"id":"0123456789abcdef","errcode":42001}`), patience)
	if err != nil {
		w.t.Fatal(err)
	}
	return msg.Header.Get("Nats-Service-Error-Code")
}

func (p *process) hangUp() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.t.Fatal(err)
	}
}

func TestTheAccountsFileIsReadAgain(t *testing.T) {
	t.Parallel()
	w, path := withFile(t, "["+entry(testAppID, testSecret)+"]")
	p := w.startPublisher()
	nc := w.connect()
	first := w.tokenOf(nc, testAppID)

	replaceFile(t, path, "["+entry(testAppID, testSecret)+",\n"+entry(secondAppID, wrongSecret)+"]")
	p.awaitLine("40125")
	replaceFile(t, path, "["+entry(testAppID, testSecret)+",\n"+entry(secondAppID, testSecret)+"]")
	mended := time.Now()
	second := w.tokenOf(nc, secondAppID)
	if took := time.Since(mended); took > 20*time.Second {
		t.Errorf("a mended secret works after %v", took)
	}

	replaceFile(t, path, "[\n"+entry(testAppID, testSecret)+",\n]")
	p.awaitLine("line 3: not valid JSON")
	if code := w.answer(nc, secondAppID); code != "" {
		t.Errorf("with a broken file an account is answered %s", code)
	}
	p.hangUp()
	await(t, "the mistake again", func() bool { return strings.Count(p.out.String(), "line 3: not valid JSON") == 2 })

	replaceFile(t, path, "["+entry(secondAppID, testSecret)+"]")
	p.hangUp()
	await(t, "the account to go", func() bool { return w.answer(nc, testAppID) == "503" })
	if again := w.tokenOf(nc, secondAppID); again.ID != second.ID {
		t.Errorf("token %s of an account that stayed became %s", second.ID, again.ID)
	}
	if mints := w.stats().Mints.Total(); mints != 1 || w.tokenOf(nc, testAppID).ID != first.ID {
		t.Errorf("%d mints of the first account", mints)
	}
	if code := p.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if printed := p.out.String(); strings.Contains(printed, testSecret) || strings.Contains(printed, wrongSecret) {
		t.Error("an AppSecret was printed")
	}
}

func TestTheSecretFileIsReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Hour)
	path := filepath.Join(t.TempDir(), "secret")
	replaceFile(t, path, wrongSecret)
	w.without("WX_SECRET")
	p := w.startPublisher("WX_SECRET_FILE=" + path)
	p.awaitLine("40125")
	replaceFile(t, path, testSecret)
	w.tokenOf(w.connect(), testAppID)
}

// Without a handler SIGHUP ends a process.
func TestSIGHUPWithoutAFileIsNoHarm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Hour)
	p := w.startPublisher()
	p.awaitLine("publisher runs")
	p.hangUp()
	p.awaitLine("SIGHUP has nothing to read again")
	w.tokenOf(w.connect(), testAppID)
	if code := p.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
