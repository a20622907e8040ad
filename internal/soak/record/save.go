package record

import (
	"encoding/json"
	"os"
)

// Save writes the book to a file, as JSON, for whoever wants to know more than the report tells.
func (b *Book) Save(path string) error {
	f := b.snapshot()
	data, err := json.MarshalIndent(map[string]any{
		"troubles": f.troubles, "values": f.stored, "mints": f.mints, "requests": f.requests, "revoked": f.revoked, "dead": f.dead,
		"attempts": f.attempts, "fails": b.Judge(), "holds": f.holds, "lives": f.lives, "for": b.Mints(),
	}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
