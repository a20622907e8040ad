package bus

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/logtest"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wire"
)

func startEmbedded(t *testing.T, cfg EmbeddedConfig) *Embedded {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	e, err := StartEmbedded(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	return e
}

func TestAnEmbeddedServerKeepsItsDataAcrossRestarts(t *testing.T) {
	cfg := EmbeddedConfig{DataDir: filepath.Join(t.TempDir(), "state", "wxtoken")}
	e := startEmbedded(t, cfg)
	nc := connect(t, Login{URL: e.URL()}, new(logtest.Output))
	wait(t, "the connection", nc.IsConnected)
	created := ensureBuckets(t, jetStream(t, nc), 1)
	revision := put(t, OpenKV(nc, jetStream(t, nc), wire.DefaultBucket), "token", 0, 0)
	cfg.Addr = strings.TrimPrefix(e.URL(), "nats://")
	e.Stop()
	wait(t, "the loss", func() bool { return !nc.IsConnected() })

	startEmbedded(t, cfg)
	wait(t, "the connection", nc.IsConnected)
	if again := ensureBuckets(t, jetStream(t, nc), 1); !again.Equal(created) {
		t.Errorf("the bucket of %v is now one of %v", created, again)
	}
	if got := latest(t, OpenKV(nc, jetStream(t, nc), wire.DefaultBucket), key); string(got.Value) != "token" || got.Revision != revision {
		t.Errorf("after the restart Latest = %+v", got)
	}
}

func TestTheDataFolderIsForItsOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	startEmbedded(t, EmbeddedConfig{DataDir: dir})
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o700 {
		t.Errorf("mode is %o", mode)
	}
}

func TestATakenAddressIsTold(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	cfg := EmbeddedConfig{Addr: l.Addr().String(), DataDir: t.TempDir()}
	if _, err := StartEmbedded(cfg, nil); !errors.Is(err, ErrAddrTaken) || !strings.Contains(err.Error(), cfg.Addr) {
		t.Errorf("StartEmbedded = %v, want ErrAddrTaken with the address", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	startEmbedded(t, cfg) // neither the folder nor the address is kept after a start that came to nothing
}

func TestADataFolderIsUsedOnce(t *testing.T) {
	dir := t.TempDir()
	first := startEmbedded(t, EmbeddedConfig{DataDir: dir})
	if _, err := StartEmbedded(EmbeddedConfig{Addr: "127.0.0.1:0", DataDir: dir}, nil); !errors.Is(err, ErrDataDirInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("StartEmbedded = %v, want ErrDataDirInUse with the folder", err)
	}
	first.Stop()
	startEmbedded(t, EmbeddedConfig{DataDir: dir})
}

func TestStopFreesPortAndFolder(t *testing.T) {
	cfg := EmbeddedConfig{DataDir: t.TempDir()}
	for range 3 {
		e := startEmbedded(t, cfg)
		cfg.Addr = strings.TrimPrefix(e.URL(), "nats://")
		e.Stop()
		e.Stop() // once more does nothing
	}
}

func TestAnEmbeddedServerThatCannotStart(t *testing.T) {
	dir := t.TempDir()
	file := writeFile(t, filepath.Join(dir, "file"), "")
	blocked := filepath.Join(dir, "blocked")
	if err := os.Mkdir(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(blocked, "jetstream"), "") // where the server wants a folder
	for _, c := range []struct {
		what string
		cfg  EmbeddedConfig
		want string
	}{
		{"no address", EmbeddedConfig{DataDir: dir}, "want host:port"},
		{"no port", EmbeddedConfig{Addr: "localhost", DataDir: dir}, "want host:port"},
		{"a port in words", EmbeddedConfig{Addr: "localhost:nats", DataDir: dir}, "want a number as port"},
		{"a port that isn't", EmbeddedConfig{Addr: "127.0.0.1:70000", DataDir: dir}, "invalid port"},
		{"another machine's address", EmbeddedConfig{Addr: "192.0.2.1:4222", DataDir: dir}, "assign requested address"},
		{"a file as folder", EmbeddedConfig{Addr: "127.0.0.1:0", DataDir: file}, "data folder"},
		{"a folder that JetStream can't use", EmbeddedConfig{Addr: "127.0.0.1:0", DataDir: blocked}, "storage directory is not a directory"},
		{"a password alone", EmbeddedConfig{Addr: "127.0.0.1:0", DataDir: dir, Password: secret.New(password)}, "a password without a user"},
	} {
		started := time.Now()
		e, err := StartEmbedded(c.cfg, nil)
		if err == nil {
			e.Stop()
			t.Errorf("%s: no error", c.what)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrAddrTaken) || errors.Is(err, ErrDataDirInUse) {
			t.Errorf("%s: %q, want %q", c.what, err, c.want)
		}
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("%s: told only after %v", c.what, took)
		}
		checkNoSecret(t, err.Error())
	}
}

func TestAnEmbeddedServerDemandsItsLoginOfEveryone(t *testing.T) {
	for what, login := range map[string]Login{
		"user and password": {User: "orders", Password: secret.New(password)},
		"token":             {User: password},
	} {
		var lines logtest.Output
		e, err := StartEmbedded(EmbeddedConfig{Addr: "127.0.0.1:0", DataDir: t.TempDir(), User: login.User, Password: login.Password}, logger(&lines))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Stop)
		for who, reach := range map[string][]nats.Option{"over a socket": nil, "within the process": {e.InProcess()}} {
			nc, err := Connect(Login{URL: e.URL(), User: login.User, Password: login.Password}, "test", logger(&lines), reach...)
			if err != nil {
				t.Fatal(err)
			}
			wait(t, "the connection "+who+" by "+what, nc.IsConnected)
			nc.Close()
		}
		for _, stranger := range []nats.Option{nats.Name("nobody"), nats.UserInfo("orders", "wrong"), nats.UserInfo("orders", ""), nats.Token("wrong")} {
			nc, err := nats.Connect(e.URL(), stranger)
			if !errors.Is(err, nats.ErrAuthorization) {
				t.Errorf("%s: a stranger got %v", what, err)
				nc.Close()
			}
		}
		checkNoSecret(t, lines.String())
	}
}

func TestAConnectionWithinTheProcessNeedsNoSocket(t *testing.T) {
	e := startEmbedded(t, EmbeddedConfig{DataDir: t.TempDir()})
	nc, err := Connect(Login{}, "test", nil, e.InProcess())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	wait(t, "the connection", nc.IsConnected)
	if addr := nc.ConnectedAddr(); addr != "pipe" {
		t.Errorf("connected to %q", addr)
	}
	ensureBuckets(t, jetStream(t, nc), 1)
}
