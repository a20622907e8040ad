package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/soak/record"
)

func TestMistakesOnTheCommandLine(t *testing.T) {
	for _, args := range [][]string{{"-for", "1"}, {"-for", "-1m"}, {"-for", "0s"}, {"-seed", "x"}, {"1h"}} {
		var said bytes.Buffer
		if code := run(t.Context(), args, &said, &said); code != 2 || said.Len() == 0 {
			t.Errorf("%q: code %d, said %q", args, code, said.String())
		}
	}
	var said bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, &said, &said); code != 0 || !strings.Contains(said.String(), "-seed") {
		t.Errorf("-h: code %d, said %q", code, said.String())
	}
}

func TestReport(t *testing.T) {
	book := record.New(record.Rules{Ahead: refreshAhead})
	book.Started("service-1")
	book.Called("service-1", 1234567)
	book.Trouble(record.Killed, "a part killed", "part")()
	r := newReport(book, options{seed: 7}, time.Minute)
	text := r.markdown()
	for _, want := range []string{"seed 7", "| 1,234,567 (service-1 1,234,567) |", "**failed: ours** | **0**", "| a part killed | 1 |", "I10 budgets"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if !r.held() {
		t.Error("it didn't hold, of nothing")
	}

	now := time.Now()
	book.Failed(record.Fail{Client: "service-1", Call: "1", What: "a failure", Begin: now, End: now})
	r = newReport(book, options{seed: 7}, time.Minute)
	if text := r.markdown(); r.held() || !strings.Contains(text, "**failed: ours** | **1**") || !strings.Contains(text, "1: a failure") {
		t.Errorf("a failed call isn't in the report:\n%s", text)
	}
}
