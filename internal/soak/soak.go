package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/wxtoken/wxtoken/internal/soak/faults"
	"github.com/wxtoken/wxtoken/internal/soak/stage"
)

// Tokens are short-lived, so that an hour sees hundreds of rotations, and long-lived enough that an outage of everything,
// with the election after it, ends before they do.
const (
	tokenLife    = 40 * time.Second
	refreshAhead = 20 * time.Second
)

// soak runs it and reports on stdout. held is false when a call failed for which only we can be blamed, or when an
// invariant didn't hold.
func soak(ctx context.Context, opts options, stdout, stderr io.Writer) (held bool, err error) {
	dir, remove, err := folder(opts.dir)
	if err != nil {
		return false, err
	}
	defer func() { remove(held) }()
	fmt.Fprintf(stderr, "soak: seed %d, logs in %s\nsoak: builds wxtoken and the NATS server\n", opts.seed, dir)
	programs, err := stage.Build(ctx, dir)
	if err != nil {
		return false, err
	}
	if programs.Self, err = os.Executable(); err != nil {
		return false, err
	}
	s, err := stage.Set(ctx, stage.Config{Dir: dir, Programs: programs, Life: tokenLife, Ahead: refreshAhead})
	defer func() { err = errors.Join(err, s.Close()) }()
	if err != nil {
		return false, err
	}
	began := time.Now()
	book := filepath.Join(dir, "book.json")
	if err := strike(ctx, s, opts, book, stderr); err != nil {
		return false, err
	}
	if err := s.Book.Save(book); err != nil {
		return false, err
	}
	r := newReport(s.Book, opts, time.Since(began))
	return r.held(), write(r, opts.out, stdout)
}

// strike lets faults strike, and sees that everything is well afterwards.
func strike(ctx context.Context, s *stage.Stage, opts options, book string, stderr io.Writer) error {
	striking, cancel := context.WithTimeout(ctx, opts.lasts)
	defer cancel()
	stop := showProgress(s.Book, book, opts.lasts, stderr)
	err := faults.Run(striking, s, opts.seed)
	stop()
	if err != nil {
		return err
	}
	after := context.WithoutCancel(ctx) // a Ctrl-C ends the faults, not the report
	fmt.Fprintln(stderr, "soak: no more faults; waits until all is well")
	s.Settle(after)
	return errors.Join(s.WeChat.ReadLog(), s.SeekLeaks(after))
}

// folder is where the soak writes, and how that goes again.
func folder(dir string) (path string, remove func(held bool), err error) {
	if dir != "" {
		path, err := filepath.Abs(dir)
		if err != nil {
			return "", nil, err
		}
		return path, func(bool) {}, os.MkdirAll(path, 0o700)
	}
	path, err = os.MkdirTemp("", "wxtoken-soak-")
	return path, func(held bool) {
		if held {
			_ = os.RemoveAll(path) // what stays is in the way of nobody
		}
	}, err
}

func write(r *report, path string, stdout io.Writer) error {
	text := r.markdown()
	fmt.Fprint(stdout, text)
	if path == "" {
		return nil
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
