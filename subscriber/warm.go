package subscriber

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/wxtoken/wxtoken/internal/wire"
)

const (
	// warmWait is how long an Open that has a token from a file waits for one from the bucket.
	warmWait = time.Second
	// maxWarmFile is the greatest size, in bytes, of a file that is read.
	maxWarmFile = 64 << 10
	// maxAhead is how far in the future, by the local clock, a kept token may have been minted.
	maxAhead = time.Minute
)

// WithWarmStart keeps the newest token of each account in a file of its own in dir, and lets Open return with that when
// NATS is not there: at once without a connection, else when the bucket can't be read within a second. As soon as the
// bucket is there it has the say. Without the option nothing is written.
//
// A file is <appid>.access_token.json and has the token in plain text, as the bucket has it: keep dir on a disk of this
// machine that only the service may read. Directory and files are made with the modes 0700 and 0600; a file that others
// may read, that is broken or of another account is ignored with a line in the log. Errors in writing are told by Err and
// the log and harm nothing else. Close waits until what is held is written; for the sources of a fleet, the fleet's does.
func WithWarmStart(dir string) Option {
	return func(o *options) {
		if dir == "" {
			o.problems = append(o.problems, errors.New("warm start: no directory is named"))
		}
		o.warmDir = dir
	}
}

// keeper writes tokens to files, in a goroutine that lives while there are any to write.
type keeper struct {
	dir  string
	tell func(error) // how the last write went

	mu      sync.Mutex
	pending map[string]wire.Value // by account
	writing bool
	running sync.WaitGroup
}

func newKeeper(dir string, tell func(error)) *keeper {
	return &keeper{dir: dir, tell: tell, pending: make(map[string]wire.Value)}
}

// keep has v written soon. It doesn't block.
func (k *keeper) keep(v wire.Value) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pending[v.AppID] = v
	if !k.writing {
		k.writing = true
		k.running.Go(k.writeAll)
	}
}

func (k *keeper) writeAll() {
	for v, more := k.next(); more; v, more = k.next() {
		k.tell(k.write(v))
	}
}

func (k *keeper) next() (v wire.Value, more bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for appid, v := range k.pending {
		delete(k.pending, appid)
		return v, true
	}
	k.writing = false
	return wire.Value{}, false
}

func (k *keeper) path(appid string) string {
	return filepath.Join(k.dir, wire.Key(appid, wire.KindAccessToken)+".json")
}

// write replaces an account's file in one go.
func (k *keeper) write(v wire.Value) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("keep token for a warm start: %w", err)
		}
	}()
	data, err := v.Encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(k.dir, ".new-*") // of mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), k.path(v.AppID))
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}

// read returns the kept token of an account. The error is os.ErrNotExist when there is none, or why it is not to be used.
func (k *keeper) read(appid string) (e entry, err error) {
	info, err := os.Lstat(k.path(appid))
	switch {
	case err != nil:
		return entry{}, err
	case !info.Mode().IsRegular() || info.Size() > maxWarmFile:
		return entry{}, errors.New("it is no file that was kept")
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		return entry{}, fmt.Errorf("others may use it: mode %04o, want 0600", info.Mode().Perm())
	}
	file, err := os.Open(k.path(appid))
	if err != nil {
		return entry{}, err
	}
	defer func() { _ = file.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(file, maxWarmFile))
	if err != nil {
		return entry{}, err
	}
	return readKept(data, appid, time.Now())
}

// readKept reads what a file holds. By the wall clock, which is all there is, its token must be usable.
func readKept(data []byte, appid string, now time.Time) (entry, error) {
	v, err := wire.DecodeValue(data)
	switch {
	case err != nil:
		return entry{}, err
	case v.AppID != appid || v.Kind != wire.KindAccessToken:
		return entry{}, errors.New("it is of another account or kind")
	case v.ExpiresIn <= 0 || v.ExpiresAt.Sub(v.MintedAt) > v.ExpiresIn:
		return entry{}, errors.New("its token lives longer than WeChat said")
	case v.MintedAt.After(now.Add(maxAhead)):
		return entry{}, errors.New("its token is from the future")
	case !v.ExpiresAt.After(now):
		return entry{}, errors.New("its token has expired")
	}
	v.AppID = appid
	return entry{Value: v}, nil
}

// readKept reads the token that was kept for the source, if there is one.
func (w *watch) readKept() {
	if w.feed.keeper == nil {
		return
	}
	e, err := w.feed.keeper.read(w.appid)
	switch {
	case err == nil:
		w.kept = &e
	case !errors.Is(err, os.ErrNotExist):
		w.log().Warn("kept token is not used", "file", w.feed.keeper.path(w.appid), "err", err)
	}
}

// useKept holds the kept token, for want of the bucket's, when it is time to.
func (w *watch) useKept(now time.Time) {
	if w.kept == nil || !due(w.keptAt, now) {
		return
	}
	e := *w.kept
	w.kept = nil
	if w.hold(e) && w.now.Load().err == nil {
		w.log().Info("token kept on disk is used until the bucket's is here")
		w.failOpen(nil)
	}
}

// keep has the token written that the bucket gave, unless it is what the file has.
func (w *watch) keep(v wire.Value) {
	if w.feed.keeper != nil && (w.kept == nil || w.kept.Generation != v.Generation) {
		w.feed.keeper.keep(v)
	}
	w.kept = nil
}
