package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/wxtoken/wxtoken/subscriber"
)

const (
	tokenMode = 0o600
	factsMode = 0o644
	dirMode   = 0o700
)

// facts are what <appid>.json says of the token beside it.
type facts struct {
	AppID      string    `json:"appid"`
	ID         string    `json:"id"`
	ExpiresAt  time.Time `json:"expires_at"`
	Generation uint64    `json:"generation"`
	Revision   uint64    `json:"revision"`
}

// keepFiles writes the files of the newest token, and tries until it has or ctx ends.
func (g *Agent) keepFiles(ctx context.Context, a *account, src *subscriber.Source) {
	for ctx.Err() == nil {
		token, err := src.Token()
		if err != nil {
			return // there will be another
		}
		if err = writeFiles(g.cfg.TokenDir, token); err == nil {
			if a.problem() != nil {
				g.log.Info("token files are written again", "appid", a.appid)
			}
			a.ails(nil)
			return
		}
		if a.problem() == nil {
			g.log.Error("token files can't be written", "appid", a.appid, "err", err)
		}
		a.ails(fmt.Errorf("write token files: %w", err))
		pause(ctx, retryPause)
	}
}

// writeFiles writes the token first: who waits for new facts then finds it.
func writeFiles(dir string, t subscriber.Token) error {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, t.AppID+".access_token"), []byte(t.AccessToken()), tokenMode); err != nil {
		return err
	}
	data, err := json.Marshal(facts{t.AppID, t.ID, t.ExpiresAt.UTC(), t.Generation, t.Revision})
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, t.AppID+".json"), append(data, '\n'), factsMode)
}

// writeFile puts a new file in the place of path, so that a reader sees the old one or the new one, whole.
func writeFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".wxtoken-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
