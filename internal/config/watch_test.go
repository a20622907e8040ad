package config

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
)

// watched is a file of accounts under watch.
type watched struct {
	t     *testing.T
	path  string
	used  chan []Account
	log   chan string
	again chan os.Signal
}

func watch(t *testing.T, path string) watched {
	t.Helper()
	return watchFile(t, AccountsFile{Path: path, Endpoint: wechat.StableToken})
}

func watchFile(t *testing.T, f AccountsFile) watched {
	t.Helper()
	first, err := f.Read()
	if err != nil {
		t.Fatal(err)
	}
	w := watched{t: t, path: f.Path, used: make(chan []Account, 8), log: make(chan string, 8), again: make(chan os.Signal, 1)}
	var watching sync.WaitGroup
	watching.Go(func() {
		f.Watch(t.Context(), first, w.again, slog.New(slog.NewTextHandler(w, nil)), func(a []Account) { w.used <- a })
	})
	t.Cleanup(watching.Wait)
	return w
}

// Write is the log's end.
func (w watched) Write(line []byte) (int, error) {
	w.log <- string(line)
	return len(line), nil
}

// next waits for the accounts that are used next, and names them.
func (w watched) next() string {
	w.t.Helper()
	var names []string
	for _, a := range <-w.used {
		names = append(names, a.AppID+"="+a.Secret.Reveal())
	}
	<-w.log
	return strings.Join(names, " ")
}

func accountsJSON(secrets ...string) string {
	var entries []string
	for i, s := range secrets {
		entries = append(entries, fmt.Sprintf(`{"appid":"wx%d","secret":%q}`, i+1, s))
	}
	return "[" + strings.Join(entries, ",") + "]"
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace is how careful programs write: a new file, renamed over the old one.
func replace(t *testing.T, path, text string) {
	t.Helper()
	write(t, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestWatchSeesChangesAndRenames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.json")
	write(t, path, accountsJSON("a"))
	w := watch(t, path)
	w.again <- syscall.SIGHUP // the watch is there when it has answered
	if line := <-w.log; !strings.Contains(line, "changed=false") {
		t.Fatalf("log: %s", line)
	}
	write(t, path, accountsJSON("a", "b"))
	if got := w.next(); got != "wx1=a wx2=b" {
		t.Errorf("after a write: %s", got)
	}
	replace(t, path, accountsJSON("c"))
	if got := w.next(); got != "wx1=c" {
		t.Errorf("after a rename: %s", got)
	}
}

// Kubernetes mounts a secret as links: accounts.json → ..data/accounts.json, ..data → a dated folder that is swapped.
func TestWatchSeesKubernetesSwapItsLinks(t *testing.T) {
	dir := t.TempDir()
	version := func(name, text string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "accounts.json"), text)
		if err := os.Symlink(name, filepath.Join(dir, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..2026_1", accountsJSON("a"))
	path := filepath.Join(dir, "accounts.json")
	if err := os.Symlink(filepath.Join("..data", "accounts.json"), path); err != nil {
		t.Fatal(err)
	}
	w := watch(t, path)
	w.again <- syscall.SIGHUP
	<-w.log
	version("..2026_2", accountsJSON("b"))
	if got := w.next(); got != "wx1=b" {
		t.Errorf("after the swap: %s", got)
	}
}

func TestBrokenFileKeepsTheOldAccounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.json")
	write(t, path, accountsJSON(testSecret))
	w := watch(t, path)
	w.again <- syscall.SIGHUP
	<-w.log
	replace(t, path, "[\n{\"appid\":\"wx1\",\"secret\":\""+testSecret+"\",}]")
	line := <-w.log
	if !strings.Contains(line, "line 2") || !strings.Contains(line, "stay as they are") || strings.Contains(line, testSecret) {
		t.Errorf("log: %s", line)
	}
	replace(t, path, accountsJSON("b"))
	if got := w.next(); got != "wx1=b" {
		t.Errorf("after it was mended: %s", got)
	}
	if len(w.used) != 0 {
		t.Error("the broken file was used")
	}
}

// The file beside WX_APPID that holds nothing but the secret is watched the same way.
func TestWatchSeesAChangedSecretFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	write(t, path, "a\n")
	w := watchFile(t, AccountsFile{Path: path, Endpoint: wechat.StableToken, AppID: "wx1"})
	w.again <- syscall.SIGHUP
	<-w.log
	replace(t, path, "b\n")
	if got := w.next(); got != "wx1=b" {
		t.Errorf("after a rename: %s", got)
	}
	write(t, path, "\n")
	if line := <-w.log; !strings.Contains(line, "is empty") {
		t.Errorf("log: %s", line)
	}
}

// A folder in which something else is written all the time kept the file from ever being read.
func TestWatchReadsInABusyFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "accounts.json")
	write(t, path, accountsJSON("a"))
	w := watch(t, path)
	w.again <- syscall.SIGHUP
	<-w.log
	replace(t, path, accountsJSON("b"))
	read := make(chan string, 1)
	go func() { read <- w.next() }()
	busy := time.NewTicker(20 * time.Millisecond)
	defer busy.Stop()
	for began := time.Now(); ; {
		select {
		case got := <-read:
			if got != "wx1=b" {
				t.Errorf("read %s", got)
			}
			return
		case <-busy.C:
			write(t, filepath.Join(dir, "log"), time.Now().String())
		}
		if time.Since(began) > 15*time.Second {
			t.Fatal("the file is not read")
		}
	}
}

// Where the folder can't be watched, the file is still read when it is asked for.
func TestWatchGoesWithoutEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later", "accounts.json")
	var lines watched
	lines.log, lines.used, lines.again = make(chan string, 8), make(chan []Account, 8), make(chan os.Signal, 1)
	var watching sync.WaitGroup
	watching.Go(func() {
		AccountsFile{Path: path, Endpoint: wechat.StableToken}.Watch(t.Context(), nil, lines.again, slog.New(slog.NewTextHandler(lines, nil)), func(a []Account) { lines.used <- a })
	})
	t.Cleanup(watching.Wait)
	if line := <-lines.log; !strings.Contains(line, "read now and then") {
		t.Errorf("log: %s", line)
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, path, accountsJSON("a"))
	lines.again <- syscall.SIGHUP
	if accounts := <-lines.used; len(accounts) != 1 || accounts[0].AppID != "wx1" {
		t.Errorf("read %v", accounts)
	}
}
