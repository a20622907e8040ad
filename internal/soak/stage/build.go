package stage

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Programs are the paths of what a soak starts.
type Programs struct {
	Wxtoken, NATS string
	Self          string // the soak itself, which is its services too
}

// Build builds wxtoken as it is in this repository, and the NATS server of its go.mod, into dir.
func Build(ctx context.Context, dir string) (Programs, error) {
	root, err := output(ctx, ".", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/wxtoken/wxtoken")
	if err != nil {
		return Programs{}, err
	}
	p := Programs{Wxtoken: filepath.Join(dir, "wxtoken"), NATS: filepath.Join(dir, "nats-server")}
	if _, err := output(ctx, root, "go", "build", "-o", p.Wxtoken, "./cmd/wxtoken"); err != nil {
		return Programs{}, err
	}
	_, err = output(ctx, root, "go", "build", "-o", p.NATS, "github.com/nats-io/nats-server/v2")
	return p, err
}

func output(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, said.String())
	}
	return strings.TrimSpace(string(out)), nil
}
