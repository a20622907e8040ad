package agent

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

func TestTokenFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	w := newWorld(t, func(c *Config) { c.TokenDir = dir }, first)
	check := func() {
		t.Helper()
		await(t, "the file", func() bool {
			data, err := os.ReadFile(filepath.Join(dir, first+".access_token"))
			return err == nil && string(data) == w.token(first)
		})
		info, err := os.Stat(filepath.Join(dir, first+".access_token"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		id := wire.TokenID(w.token(first))
		var f facts
		var data []byte
		await(t, "the facts", func() bool {
			data, err = os.ReadFile(filepath.Join(dir, first+".json"))
			return err == nil && json.Unmarshal(data, &f) == nil && f.ID == id
		})
		if f.AppID != first || f.Generation == 0 || !f.ExpiresAt.After(time.Now()) || bytes.Contains(data, []byte(w.token(first))) {
			t.Errorf("facts: %s", data)
		}
	}
	check()
	must(t, w.sim.Revoke(first, wxsim.ChannelToken, false))
	w.wantFine(w.call("GET", "/cgi-bin/a", ""))
	check()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("files: %v, %v", left, err)
	}
}

func TestATokenFolderThatCantBeWrittenIsTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	w := newWorldWithoutAgent(t, first)
	w.startAgent(func(c *Config) { c.TokenDir = filepath.Join(file, "tokens") })
	await(t, "the trouble", func() bool {
		return strings.Contains(w.call("GET", "/readyz", "").body, "write token files")
	})
	w.wantFine(w.call("GET", "/cgi-bin/a", ""))
}
