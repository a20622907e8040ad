package agent

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"testing"
)

// Bodies of replies with echoes of tokens, in any pieces.
func FuzzEcho(f *testing.F) {
	f.Add([]byte(`{"errcode":40001,"errmsg":"$A is not $B"}`), []byte("84_a"), []byte("84_b"), 5, 7)
	f.Add([]byte("$A$A84_84_a$B8"), []byte("84_a"), []byte("84_84_a"), 3, 4096)
	f.Add([]byte(`{"errcode":45009`), []byte(""), []byte("x"), 100, 1)
	f.Fuzz(func(t *testing.T, body, one, two []byte, piece, room int) {
		tokens := []string{string(one), string(two)}
		if len(one) > roomNeeded/2 || len(two) > roomNeeded/2 || bytes.ContainsRune(append(one, two...), '*') {
			return // not WeChat's
		}
		body = bytes.ReplaceAll(bytes.ReplaceAll(body, []byte("$A"), one), []byte("$B"), two)
		r := &reply{body: io.NopCloser(&pieces{bytes.Clone(body), max(piece, 1)}), call: &call{status: http.StatusOK}, tokens: tokens, ended: func() {}}
		got := readWith(t, r, max(room%(8<<10), 1))
		if len(got) != len(body) {
			t.Fatalf("%d bytes become %d", len(body), len(got))
		}
		for _, token := range tokens {
			if token != "" && bytes.Contains(got, []byte(token)) {
				t.Errorf("%q: %q has the token %q", body, got, token)
			}
		}
		for i := range got {
			if got[i] != body[i] && got[i] != '*' {
				t.Fatalf("%q becomes %q", body, got)
			}
		}
		echoed := slices.ContainsFunc(tokens, func(token string) bool { return token != "" && bytes.Contains(body, []byte(token)) })
		if !echoed && !bytes.Equal(got, body) {
			t.Errorf("%q, with no token in it, becomes %q", body, got)
		}
	})
}

// pieces gives that many bytes at once.
type pieces struct {
	rest []byte
	most int
}

func (p *pieces) Read(b []byte) (int, error) {
	n := copy(b, p.rest[:min(p.most, len(p.rest))])
	if p.rest = p.rest[n:]; len(p.rest) == 0 {
		return n, io.EOF
	}
	return n, nil
}

// readWith reads all, with so much room at a time.
func readWith(t *testing.T, r io.Reader, room int) (all []byte) {
	t.Helper()
	for buf := make([]byte, room); ; {
		n, err := r.Read(buf)
		all = append(all, buf[:n]...)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
