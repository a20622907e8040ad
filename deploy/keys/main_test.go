package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

func TestKeysAreOnesOwn(t *testing.T) {
	t.Setenv("NATS_NAME", "test")
	dir := filepath.Join(t.TempDir(), "secrets")
	if err := write("../nats.conf", dir, "wxfedcba9876543210"); err != nil {
		t.Fatal(err)
	}
	options, err := server.ProcessConfigFile(filepath.Join(dir, "nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, user := range options.Nkeys {
		known[user.Nkey] = true
	}
	for _, name := range []string{"publisher", "operator", "auditor", "service", "services", "agent"} {
		if public := publicOf(t, filepath.Join(dir, name+".nk")); !known[public] || public == publicOf(t, "../demo-secrets/"+name+".nk") {
			t.Errorf("%s has key %s; the server knows %v", name, public, known)
		}
	}
	if len(known) != 6 || len(options.Routes) != 3 || options.Cluster.Password == "" {
		t.Errorf("%d users, routes %v", len(known), options.Routes)
	}
	conf := read(t, filepath.Join(dir, "nats.conf"))
	if strings.Contains(conf, demoAppID) || !strings.Contains(conf, "wx.token.refresh.wxfedcba9876543210") {
		t.Error("rights are not on the given account")
	}
}

func TestKeysInUseAreNotOverwritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	if err := write("../nats.conf", dir, "wx1"); err != nil {
		t.Fatal(err)
	}
	before := read(t, filepath.Join(dir, "publisher.nk"))
	if err := write("../nats.conf", dir, "wx1"); err == nil || read(t, filepath.Join(dir, "publisher.nk")) != before {
		t.Errorf("the second time: %v", err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
}

func publicOf(t *testing.T, seedFile string) string {
	t.Helper()
	pair, err := nkeys.FromSeed([]byte(strings.TrimSpace(read(t, seedFile))))
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
