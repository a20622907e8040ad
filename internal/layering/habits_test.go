package layering

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"
)

// habit is what no package may do, but for some.
type habit struct {
	what   string
	why    string
	except []string
	find   func(*source) []ast.Node
	wrong  string // an example, so that the rule is seen to find something
	right  string // one that looks like it
}

func habits() []habit {
	return []habit{
		{"has an init function", "what happens on import happens to everyone, tests too", nil,
			initFunctions, `func init() {}`, `type t struct{}; func (t) init() {}`},
		{"reads the environment", "settings are read and checked in internal/config, all at once; others get values",
			[]string{"internal/config", "examples/service"},
			calls("os", "Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv"),
			`import "os"; var x = os.Getenv("X")`, `import "os"; var x = os.Args`},
		{"ends the process outside main", "deferred work would not be done: leases stay taken, files locked", nil,
			exits, `import "os"; func run() { os.Exit(1) }`, `import "os"; func main() { os.Exit(1) }`},
		{"logs to the process's logger", "loggers are passed in, and a library is silent without one", []string{"deploy/keys"},
			logging, `import "log/slog"; func f() { slog.Info("x") }`, `import "log/slog"; func f(slog *slog.Logger) { slog.Info("x") }`},
		{"uses a registry of the whole process", "two of a kind in one process would meet there, and tests do so", []string{"examples/service"},
			registries, `import "net/http"; func f() { http.HandleFunc("/", nil) }`, `import "net/http"; func f(http *http.ServeMux) { http.HandleFunc("/", nil) }`},
		{"changes a variable of the package", "it is shared by all that runs in the process; put it where it belongs", nil,
			changes, `var n = map[int]int{}; func f() { n[1]++ }`, `var n = map[int]int{}; func f() int { n := map[int]int{}; n[1]++; return n[1] }`},
		{"has a lock, channel or the like for the whole package", "it is there because something changes, which is to belong to somebody",
			[]string{"internal/natstest"}, // the server's own ticker is the process's, and must not start in a bubble
			synchronised, `import "sync"; var mu sync.Mutex`, `import "sync"; type t struct { mu sync.Mutex }`},
		{"stores another's context", "it is an argument: a stored one outlives the call that it was for, or ends before the next", nil,
			storedContexts, `import "context"; type t struct { ctx context.Context }`,
			`import "context"; type t struct { ctx context.Context; end context.CancelFunc; f func(context.Context) }`},
	}
}

func TestHabits(t *testing.T) {
	var sources []*source
	for _, p := range load(t) {
		if !slices.Contains(shelves(), p.path[strings.LastIndex(p.path, "/")+1:]) {
			sources = append(sources, newSource(p))
			continue
		}
		t.Errorf("%s: such a package holds what belongs elsewhere; name it for what it is about", p.path)
	}
	for _, h := range habits() {
		for _, s := range sources {
			if slices.Contains(h.except, s.path) {
				continue
			}
			for _, node := range h.find(s) {
				t.Errorf("%s: package %s %s: %s", s.fset.Position(node.Pos()), s.path, h.what, h.why)
			}
		}
	}
}

func shelves() []string {
	return []string{"util", "utils", "common", "types", "helpers", "misc", "base"}
}

// Each rule finds its example and not what merely looks like it, and each exception is still needed.
func TestHabitsAreFound(t *testing.T) {
	tree := load(t)
	for _, h := range habits() {
		if len(h.find(example(t, h.wrong))) == 0 {
			t.Errorf("%q is not found in %s", h.what, h.wrong)
		}
		if len(h.find(example(t, h.right))) > 0 {
			t.Errorf("%q is found in %s", h.what, h.right)
		}
		for _, path := range h.except {
			i := slices.IndexFunc(tree, func(p *pkg) bool { return p.path == path })
			if i < 0 || len(h.find(newSource(tree[i]))) == 0 {
				t.Errorf("%q needs no exception for %s", h.what, path)
			}
		}
	}
}

func example(t *testing.T, text string) *source {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "example.go", "package main; "+text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return newSource(&pkg{path: "example", fset: fset, files: []*ast.File{file}})
}

// source is a package whose names are resolved as far as that goes without reading what it imports.
type source struct {
	*pkg
	info  *types.Info
	scope *types.Scope
}

func newSource(p *pkg) *source {
	s := &source{p, &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}, nil}
	// The errors are all about imported things, whose packages are empty here.
	check := types.Config{Importer: emptyPackages{}, Error: func(error) {}}
	checked, _ := check.Check(p.path, p.fset, p.files, s.info)
	s.scope = checked.Scope()
	return s
}

type emptyPackages struct{}

func (emptyPackages) Import(path string) (*types.Package, error) {
	name := path[strings.LastIndex(path, "/")+1:]
	if strings.HasPrefix(name, "v") && strings.Trim(name[1:], "0123456789") == "" {
		return nil, fmt.Errorf("%s: the package's name is elsewhere in the path, and no rule asks for it", path)
	}
	imported := types.NewPackage(path, name)
	imported.MarkComplete()
	return imported, nil
}
