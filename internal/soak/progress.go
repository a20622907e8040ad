package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/wxtoken/wxtoken/internal/soak/record"
)

const progressEvery = 10 * time.Second

// showProgress writes a line every few seconds, and the book so far to a file, until the returned function is called.
func showProgress(book *record.Book, path string, lasts time.Duration, out io.Writer) (stop func()) {
	began, done := time.Now(), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		every := time.NewTicker(progressEvery)
		defer every.Stop()
		for {
			select {
			case <-done:
				return
			case <-every.C:
				fmt.Fprintf(out, "soak: %v of %v: %s\n", time.Since(began).Round(time.Second), lasts, progress(book))
				if err := book.Save(path); err != nil {
					fmt.Fprintln(out, "soak:", err)
				}
			}
		}
	})
	return func() { close(done); group.Wait() }
}

func progress(book *record.Book) string {
	failed := record.Verdicts(book.Judge())
	calls := int64(0)
	for _, n := range book.Calls() {
		calls += n
	}
	line := fmt.Sprintf("%d rotations, %d calls, failed: %d by WeChat, %d without a way, %d by us",
		book.Rotations(), calls, failed[record.WeChat], failed[record.NoWay], failed[record.Ours])
	if now := book.Current(); now != "" {
		line += "; now: " + now
	}
	return line
}
