package stage

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// tokenLike is whatever may hold the end of a token.
var tokenLike = regexp.MustCompile(fmt.Sprintf(`[0-9A-Za-z_-]{%d,}`, tokenEnd))

// SeekLeaks looks for secrets and tokens in what publishers and agents logged and show, and for secrets in what NATS
// stored. It reads pages of publishers that run, and what NATS has written by then.
func (s *Stage) SeekLeaks(ctx context.Context) error {
	for _, p := range s.processes() {
		data, err := os.ReadFile(p.Log())
		if err != nil {
			return err
		}
		s.seek(p.Log(), data, true)
	}
	for _, p := range s.Publishers {
		for _, page := range []string{"/", "/metrics", "/healthz"} {
			if err := p.get(ctx, page, func(data []byte) { s.seek(p.Name+page, data, true) }); err != nil {
				return fmt.Errorf("%s%s: %w", p.Name, page, err)
			}
		}
	}
	return filepath.WalkDir(s.cfg.Dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.Contains(path, ".store"+string(filepath.Separator)) {
			return nil // the servers go on, and files of theirs come and go
		}
		data, err := os.ReadFile(path)
		if err == nil {
			s.seek(path, data, false)
		}
		return nil
	})
}

func (s *Stage) seek(where string, data []byte, tokens bool) {
	for _, a := range s.Accounts {
		if bytes.Contains(data, []byte(a.Secret)) {
			s.Book.Leaked(where + " has the secret of " + a.AppID)
		}
	}
	if !tokens {
		return
	}
	if slices.ContainsFunc(tokenLike.FindAll(data, -1), s.edge.knows) {
		s.Book.Leaked(where + " has a token")
		return
	}
}

// knows tells whether text has the end of a token in it.
func (e *edge) knows(text []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := tokenEnd; i <= len(text); i++ {
		if e.ends[string(text[i-tokenEnd:i])] {
			return true
		}
	}
	return false
}
