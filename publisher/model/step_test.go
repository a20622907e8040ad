package model

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// modelled are the functions whose calls of each other the model makes in the code's order.
var modelled = []string{"pass", "attempt", "run", "restore", "mintFor", "mint", "call", "deliver", "put"}

// ofTheCode are the files of the model whose labels and inlines bear the names of functions.
var ofTheCode = []string{"account.pml", "pass.pml", "mint.pml", "store.pml"}

var (
	comment   = regexp.MustCompile(`(?s)/\*.*?\*/`)
	label     = regexp.MustCompile(`^([a-z]\w*):`)
	inline    = regexp.MustCompile(`(?m)^inline (\w+)\(`)
	reference = regexp.MustCompile(`goto (\w+)|\b(\w+)\(`)
)

// TestTheModelIsInStepWithTheCode fails when somebody renames, reorders or drops a step of the path.
func TestTheModelIsInStepWithTheCode(t *testing.T) {
	functions := parsePublisher(t)
	sections, names := parseModel(t)
	for name := range names {
		if functions[name] == nil {
			t.Errorf("the model has %s, which is no function of package publisher", name)
		}
	}
	for _, name := range modelled {
		if functions[name] == nil || sections[name] == "" {
			t.Errorf("%s is not in both the model and the code", name)
			continue
		}
		want, got := callsOf(functions[name], names), stepsOf(sections[name], name, names)
		if !slices.Equal(got, want) {
			t.Errorf("steps of %s: the model has %q, the code %q", name, got, want)
		}
	}
}

// parseModel returns what follows each label, and the names of all labels and inlines.
func parseModel(t *testing.T) (sections map[string]string, names map[string]bool) {
	t.Helper()
	sections, names = make(map[string]string), make(map[string]bool)
	for _, file := range ofTheCode {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source := comment.ReplaceAllString(string(data), "")
		for _, m := range inline.FindAllStringSubmatch(source, -1) {
			names[m[1]] = true
		}
		var name string
		for line := range strings.Lines(source) {
			if m := label.FindStringSubmatch(line); m != nil {
				name, _, _ = strings.Cut(m[1], "_")
				names[name] = true
			}
			sections[name] += line
		}
	}
	return sections, names
}

// stepsOf are the modelled functions that a section goes to, in the order of their first mention.
func stepsOf(section, self string, names map[string]bool) (steps []string) {
	for _, m := range reference.FindAllStringSubmatch(section, -1) {
		name := m[1] + m[2]
		if name == "run_begins" {
			name = "run" // a word of Promela's
		}
		if names[name] && name != self && !slices.Contains(steps, name) {
			steps = append(steps, name)
		}
	}
	return steps
}

// callsOf are the modelled functions that a function calls, the same way. What it defers comes last.
func callsOf(f *ast.FuncDecl, names map[string]bool) (steps []string) {
	var calls, deferred []*ast.CallExpr
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.DeferStmt:
			deferred = append(deferred, n.Call)
			return false
		case *ast.CallExpr:
			calls = append(calls, n)
		}
		return true
	})
	slices.SortStableFunc(calls, func(a, b *ast.CallExpr) int { return int(a.End() - b.End()) }) // arguments come before their call
	for _, call := range append(calls, deferred...) {
		if name := called(call); names[name] && name != f.Name.Name && !slices.Contains(steps, name) {
			steps = append(steps, name)
		}
	}
	return steps
}

func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

func parsePublisher(t *testing.T) map[string]*ast.FuncDecl {
	t.Helper()
	paths, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	functions := make(map[string]*ast.FuncDecl)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && (functions[f.Name.Name] == nil || ofThePath(f)) {
				functions[f.Name.Name] = f
			}
		}
	}
	return functions
}

// ofThePath tells whether a method is one of those that the model means, where others bear its name.
func ofThePath(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return false
	}
	star, ok := f.Recv.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	on, ok := star.X.(*ast.Ident)
	return ok && (on.Name == "account" || on.Name == "refresh" || on.Name == "leases")
}
