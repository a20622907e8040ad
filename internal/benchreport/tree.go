package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/wxtoken/wxtoken"

// tree is the folder of wxtoken's source.
type tree string

// findTree looks upwards from the working directory.
func findTree(ctx context.Context) (tree, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		found, err := tree(dir).goCommand(ctx, ".", "list", "-m", "-f", "{{.Path}}\n{{.Dir}}")
		if path, root, _ := strings.Cut(strings.TrimSpace(string(found)), "\n"); err == nil && path == module {
			return tree(root), nil
		}
	}
	return "", errors.New("run this within wxtoken's source tree")
}

// goCommand runs the go tool in a folder of the tree and returns what it writes.
func (t tree) goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(string(t), dir)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s%s", strings.Join(args, " "), err, out, said.Bytes())
	}
	return out, nil
}

// modules are the folders of the tree's modules.
func (t tree) modules() (dirs []string, err error) {
	err = fs.WalkDir(os.DirFS(string(t)), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
			return fs.SkipDir
		}
		if entry.Name() == "go.mod" {
			dirs = append(dirs, filepath.Dir(path))
		}
		return nil
	})
	return dirs, err
}

// benchmark is a function in the tree.
type benchmark struct{ pkg, name string }

// checkListed fails unless the subjects are all benchmarks of the tree, and those only.
func (t tree) checkListed(ctx context.Context, subjects []subject, progress io.Writer) error {
	dirs, err := t.modules()
	if err != nil {
		return err
	}
	var listed []benchmark
	for _, dir := range dirs {
		_, _ = fmt.Fprintf(progress, "benchmarks of module %s\n", dir)
		out, err := t.goCommand(ctx, dir, "test", "-list", "^Benchmark", "./...")
		if err != nil {
			return err
		}
		listed = append(listed, readList(out)...)
	}
	return compareLists(listed, subjects)
}

// readList reads what go test -list writes: names, and behind them a line that tells the package.
func readList(out []byte) (listed []benchmark) {
	var names []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 1 && strings.HasPrefix(fields[0], "Benchmark"):
			names = append(names, fields[0])
		case len(fields) > 1 && fields[0] == "ok":
			for _, name := range names {
				listed = append(listed, benchmark{strings.TrimPrefix(fields[1], module+"/"), name})
			}
			names = nil
		}
	}
	return listed
}

// compareLists tells of benchmarks that are not in both.
func compareLists(listed []benchmark, subjects []subject) error {
	var known []benchmark
	for _, s := range subjects {
		known = append(known, benchmark{s.pkg, base(s.name)})
	}
	var problems []error
	for _, b := range missing(listed, known) {
		problems = append(problems, fmt.Errorf("%s in %s is not in the report: add it to subjects.go and themes.go", b.name, b.pkg))
	}
	for _, b := range missing(known, listed) {
		problems = append(problems, fmt.Errorf("%s is not in %s any more", b.name, b.pkg))
	}
	return errors.Join(problems...)
}

// missing are those of some that are not among others.
func missing(some, others []benchmark) (left []benchmark) {
	for _, b := range some {
		if !slices.Contains(others, b) {
			left = append(left, b)
		}
	}
	slices.SortFunc(left, func(a, b benchmark) int { return cmp.Or(cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.name, b.name)) })
	return slices.Compact(left)
}
