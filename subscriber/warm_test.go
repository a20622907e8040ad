package subscriber

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// fileOf is where a warm start finds the token.
func fileOf(dir string) string { return filepath.Join(dir, appid+".access_token.json") }

func TestWarmStartWithoutNATS(t *testing.T) {
	for name, open := range ways {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "tokens")
			inBubble(t, func(t *testing.T, w *world) {
				w.mint(2 * time.Hour)
				nc := w.connect()
				defer nc.Close()
				_, stop, err := open(t.Context(), nc, WithWarmStart(dir))
				if err != nil {
					t.Fatal(err)
				}
				w.mint(2 * time.Hour)
				settle()
				stop()
				onlyOwnerMayRead(t, dir)

				w.server.Stop()
				time.Sleep(time.Minute)
				began := time.Now()
				src, stop, err := open(t.Context(), nc, WithWarmStart(dir))
				if err != nil {
					t.Fatal(err)
				}
				defer stop()
				want(t, src, 2, nil)
				if took := time.Since(began); took > warmWait+10*time.Millisecond {
					t.Errorf("Open took %v", took)
				}
				if err := src.Err(); !errors.Is(err, ErrNotConnected) {
					t.Errorf("Err() = %v", err)
				}
				w.server.Resume()
				time.Sleep(time.Second)
				w.mint(2 * time.Hour)
				settle()
				want(t, src, 3, nil)
				if err := src.Err(); err != nil {
					t.Errorf("Err() = %v", err)
				}
				stop()
			})
		})
	}
}

func onlyOwnerMayRead(t *testing.T, dir string) {
	t.Helper()
	for path, mode := range map[string]os.FileMode{dir: 0o700, fileOf(dir): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
	}
	if files, err := os.ReadDir(dir); len(files) != 1 || err != nil {
		t.Errorf("files: %v, %v", files, err)
	}
}

// kept writes what a file holds, as the bucket's values are.
func kept(t *testing.T, dir string, v wire.Value, mode os.FileMode) {
	t.Helper()
	data, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(fileOf(dir), data, mode), os.Chmod(fileOf(dir), mode)); err != nil {
		t.Fatal(err)
	}
}

func TestWarmStartPrefersTheBucket(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(t *testing.T, w *world) {
		kept(t, dir, token(1, time.Hour), 0o600)
		w.put(token(2, time.Hour))
		nc := w.connect()
		defer nc.Close()
		src := w.open(nc, WithWarmStart(dir))
		defer src.Close()
		want(t, src, 2, nil)
	})
}

func TestWarmStartWithoutTheBucket(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(t *testing.T, w *world) {
		if err := w.js.DeleteKeyValue(t.Context(), "wx_token"); err != nil {
			t.Fatal(err)
		}
		kept(t, dir, token(5, time.Hour), 0o600)
		nc := w.connect()
		defer nc.Close()
		src := w.open(nc, WithWarmStart(dir))
		defer src.Close()
		want(t, src, 5, nil)
		w.makeBucket()
		for generation := uint64(4); generation < 7; generation++ { // I6: never an older one
			w.put(token(generation, time.Hour))
			settle()
			want(t, src, max(5, generation), nil)
		}
		time.Sleep(time.Hour)
		want(t, src, 6, ErrExpired)
	})
}

func TestWarmStartIgnoresBadFiles(t *testing.T) {
	now := time.Now()
	other, long, future, old := token(1, time.Hour), token(1, time.Hour), token(1, time.Hour), token(1, time.Hour)
	other.AppID = "wxother"
	long.ExpiresAt = now.Add(9 * time.Hour)
	future.MintedAt, future.ExpiresAt = now.Add(time.Hour), now.Add(2*time.Hour)
	old.MintedAt, old.ExpiresAt = now.Add(-2*time.Hour), now.Add(-time.Hour)
	for name, v := range map[string]wire.Value{"other": other, "long": long, "future": future, "old": old} {
		data, _ := v.Encode()
		if _, err := readKept(data, appid, now); err == nil {
			t.Errorf("%s: taken", name)
		} else {
			noTokenIn(t, err.Error())
		}
	}
	dir := t.TempDir()
	spoil := map[string]func(t *testing.T){
		"too open": func(t *testing.T) { kept(t, dir, token(1, time.Hour), 0o644) },
		"broken":   func(t *testing.T) { _ = os.WriteFile(fileOf(dir), []byte(`{"access_token":"84_token`), 0o600) },
		"a link":   func(t *testing.T) { _ = os.Symlink("/etc/passwd", fileOf(dir)) },
	}
	for name, spoil := range spoil {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				_ = os.Remove(fileOf(dir))
				spoil(t)
				w.server.Stop()
				nc := w.connect()
				defer nc.Close()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				var log bytes.Buffer
				_, err := Open(ctx, nc, appid, WithWarmStart(dir), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
				if !errors.Is(err, ErrNotConnected) {
					t.Errorf("Open: %v", err)
				}
				if !strings.Contains(log.String(), "kept token is not used") {
					t.Errorf("log: %s", &log)
				}
				noTokenIn(t, log.String())
			})
		})
	}
}

func TestWarmStartThatCannotWrite(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	inBubble(t, func(t *testing.T, w *world) {
		w.mint(time.Hour)
		nc := w.connect()
		defer nc.Close()
		src := w.open(nc, WithWarmStart(filepath.Join(blocked, "dir")))
		defer src.Close()
		settle()
		want(t, src, 1, nil)
		if err := src.Err(); err == nil {
			t.Error("Err() is nil, although nothing can be written")
		}
	})
	if _, err := readOptions(appid, []Option{WithWarmStart("")}); err == nil {
		t.Error("a directory without a name is taken")
	}
}
