package layering

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/wxtoken/wxtoken/"
	root   = "../.."
)

// pkg is a folder with Go files.
type pkg struct {
	path         string // from the module's root
	fset         *token.FileSet
	files, tests []*ast.File
}

// load reads the whole module, without the modules inside it.
func load(t *testing.T) []*pkg {
	t.Helper()
	var tree []*pkg
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name != root && (hidden(d.Name()) || hasGoMod(name)) {
			return fs.SkipDir
		}
		p, err := parse(name)
		if err == nil && len(p.files)+len(p.tests) > 0 {
			tree = append(tree, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(tree) == 0 {
		t.Fatal("no sources found")
	}
	return tree
}

func hidden(name string) bool { return name == "testdata" || strings.ContainsAny(name[:1], "._") }

func hasGoMod(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return !errors.Is(err, fs.ErrNotExist)
}

func parse(dir string) (*pkg, error) {
	path, err := filepath.Rel(root, dir)
	if err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	p := &pkg{path: filepath.ToSlash(path), fset: token.NewFileSet()}
	for _, name := range names {
		file, err := parser.ParseFile(p.fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(name, "_test.go") {
			p.tests = append(p.tests, file)
		} else {
			p.files = append(p.files, file)
		}
	}
	return p, nil
}

// foreign tells whether the path is another module's.
func foreign(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}

// standard tells whether the path is the standard library's: neither foreign nor in one of our folders.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !foreign(path) && !slices.Contains([]string{"cmd", "deploy", "examples", "internal", "publisher", "subscriber"}, first)
}
