package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// module is one that is linked into a binary.
type module struct {
	Path, Version string
	Dir           string   // in the module cache
	packages      []string // folders of the linked packages
}

// platforms are those that wxtoken is built for. Some modules are linked on one system only.
func platforms() [][2]string {
	var all [][2]string
	for _, system := range []string{"linux", "darwin", "windows"} {
		for _, machine := range []string{"amd64", "arm64"} {
			all = append(all, [2]string{system, machine})
		}
	}
	return all
}

// linkedModules are the foreign modules in the binaries of root on all platforms, sorted by path.
func linkedModules(ctx context.Context, root string) ([]*module, error) {
	found := map[string]*module{}
	for _, p := range platforms() {
		out, err := listPackages(ctx, root, p[0], p[1])
		if err != nil {
			return nil, fmt.Errorf("list packages for %s/%s: %w", p[0], p[1], err)
		}
		if err := addModules(found, out); err != nil {
			return nil, err
		}
	}
	modules := make([]*module, 0, len(found))
	for _, m := range found {
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b *module) int { return cmp.Compare(a.Path, b.Path) })
	return modules, nil
}

// listPackages asks the go command with the flags of the Dockerfile.
func listPackages(ctx context.Context, root, system, machine string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Dir,Module", "-tags", "timetzdata", "./cmd/wxtoken", "./examples/service")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+machine)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

func addModules(found map[string]*module, listed []byte) error {
	for dec := json.NewDecoder(bytes.NewReader(listed)); ; {
		var pkg struct {
			Dir    string
			Module *struct {
				Path, Version, Dir string
				Main               bool
				Replace            *struct{ Path string }
			}
		}
		switch err := dec.Decode(&pkg); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the go command's list: %w", err)
		case pkg.Module == nil || pkg.Module.Main: // the standard library, and our own
			continue
		case pkg.Module.Replace != nil:
			return fmt.Errorf("%s is replaced by %s", pkg.Module.Path, pkg.Module.Replace.Path)
		}
		m := found[pkg.Module.Path]
		if m == nil {
			m = &module{Path: pkg.Module.Path, Version: pkg.Module.Version, Dir: filepath.Clean(pkg.Module.Dir)}
			found[m.Path] = m
		}
		if !slices.Contains(m.packages, pkg.Dir) {
			m.packages = append(m.packages, pkg.Dir)
		}
	}
}
