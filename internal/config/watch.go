package config

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settleTime is how long a file must be left alone before it is read: editors and mounts change it in steps. It is
	// read after settleAtMost in any case: something else in its folder may change all the time.
	settleTime, settleAtMost = 200 * time.Millisecond, 2 * time.Second
	// rereadEvery finds what no event tells: a changed secret_file, a network file system.
	rereadEvery = 30 * time.Second
)

// Watch reads the file again when it changes, when again is sent on, and now and then, and calls use with the accounts
// when they are others than the last, which at first are those given. A file that can't be used is logged once, and the
// last accounts stand. Watch blocks until ctx ends. Where no events are to be had it goes without them.
func (f AccountsFile) Watch(ctx context.Context, last []Account, again <-chan os.Signal, log *slog.Logger, use func([]Account)) {
	events, err := f.events()
	if err != nil {
		log.Warn("changes of the file are not told, it is read now and then", "file", f.Path, "every", rereadEvery, "err", err)
		events = &fsnotify.Watcher{} // its channels are nil
	} else {
		defer events.Close()
	}
	r := &reader{file: f, last: last, log: log, use: use}
	reread := time.NewTimer(settleTime) // it may have changed since last was read
	defer reread.Stop()
	var changing time.Time // since when, if it is
	for {
		select {
		case <-ctx.Done():
			return
		case <-events.Events:
			if changing.IsZero() {
				changing = time.Now()
			}
			reread.Reset(min(settleTime, settleAtMost-time.Since(changing)))
		case err := <-events.Errors:
			log.Warn("file events are lost, the file is read now and then", "file", f.Path, "err", err)
		case <-again:
			r.read(true)
		case <-reread.C:
			changing = time.Time{}
			r.read(false)
			reread.Reset(rereadEvery)
		}
	}
}

// events are those of the file's folder, because a file that is replaced by renaming is another file, and because
// Kubernetes swaps a link beside it.
func (f AccountsFile) events() (*fsnotify.Watcher, error) {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	if err := events.Add(filepath.Dir(f.Path)); err != nil {
		return nil, errors.Join(err, events.Close())
	}
	return events, nil
}

// reader tells news from what it has told before.
type reader struct {
	file AccountsFile
	last []Account
	log  *slog.Logger
	use  func([]Account)
	said string // the last mistake
}

func (r *reader) read(asked bool) {
	accounts, err := r.file.Read()
	if err != nil {
		if asked || err.Error() != r.said {
			r.log.Error("accounts file can't be used, the accounts stay as they are", "file", r.file.Path, "err", err)
		}
		r.said = err.Error()
		return
	}
	r.said = ""
	same := slices.EqualFunc(accounts, r.last, Account.Equal)
	if !same {
		r.last = accounts
		r.use(accounts)
	}
	if asked || !same {
		r.log.Info("accounts file was read", "file", r.file.Path, "accounts", len(accounts), "changed", !same)
	}
}
