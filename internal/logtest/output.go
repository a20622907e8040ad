// Package logtest keeps what a test's parts log or print while they run.
package logtest

import (
	"bytes"
	"strings"
	"sync"
)

// Output is what several goroutines have written so far. Its zero value is empty.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write never fails.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Has tells whether text was written.
func (o *Output) Has(text string) bool { return strings.Contains(o.String(), text) }

// Count is how often text was written.
func (o *Output) Count(text string) int { return strings.Count(o.String(), text) }

// Tail is the end, to be shown when a test fails.
func (o *Output) Tail() string {
	const long = 6_000
	s := o.String()
	return s[max(0, len(s)-long):]
}
