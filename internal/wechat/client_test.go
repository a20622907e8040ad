package wechat

import (
	"strings"
	"testing"
)

func TestNewClientTellsEveryProblem(t *testing.T) {
	_, err := NewClient(Config{Bases: []string{"https://ok.test", "ftp://host", "https://", "https://user:pass@host", "https://host?a=b", "https://h#f", "%"}})
	if err == nil {
		t.Fatal("no error")
	}
	if problems := strings.Count(err.Error(), "\n") + 1; problems != 7 {
		t.Errorf("%d problems, want 6 bases and the timeout:\n%v", problems, err)
	}
	if strings.Contains(err.Error(), "pass") {
		t.Errorf("the error shows a password: %v", err)
	}
	if _, err := NewClient(Config{Timeout: 1}); err == nil {
		t.Error("no bases, no error")
	}
}

func TestParseEndpoint(t *testing.T) {
	for _, e := range []Endpoint{StableToken, PlainToken} {
		if got, err := ParseEndpoint(string(e)); got != e || err != nil {
			t.Errorf("ParseEndpoint(%q) = %q, %v", e, got, err)
		}
	}
	for _, s := range []string{"", "Token", "stable"} {
		if _, err := ParseEndpoint(s); err == nil {
			t.Errorf("ParseEndpoint(%q) gave no error", s)
		}
	}
}
