package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNothingShowsTheText(t *testing.T) {
	const text = "84_vWPsecret"
	type open struct{ S String }
	type shut struct{ s String }
	type deep struct{ m map[string][]*shut }

	s := New(text)
	values := []any{s, &s, open{s}, &open{s}, shut{s}, &shut{s}, []shut{{s}}, map[String]int{s: 1}, deep{map[string][]*shut{"a": {{s}}}}, []any{shut{s}}}
	for _, v := range values {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb, v)
		}
		fmt.Fprint(&out, errors.New(fmt.Sprint(v)))
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
		hexed := fmt.Sprintf("%x", text)
		if got := out.String(); strings.Contains(got, text) || strings.Contains(got, hexed) {
			t.Errorf("%T shows the text: %s", v, got)
		}
	}
}

func TestRevealAndEqual(t *testing.T) {
	if got := New("a").Reveal(); got != "a" {
		t.Errorf("Reveal() = %q", got)
	}
	var zero String
	if !zero.IsZero() || zero.Reveal() != "" || !zero.Equal(New("")) {
		t.Error("the zero String is not the empty text")
	}
	if New("a").Equal(New("b")) || !New("a").Equal(New("a")) {
		t.Error("Equal does not compare texts")
	}
}
