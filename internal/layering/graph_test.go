package layering

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// graph is who imports what, by package; ours without the module's name.
type graph map[string][]string

func TestImports(t *testing.T) {
	tree := load(t)
	for _, problem := range append(unknown(tree), broken(imports(tree, false))...) {
		t.Error(problem)
	}
	for _, problem := range undefended(imports(tree, true)) {
		t.Error(problem)
	}
}

// Each kind of wrong import is noticed, and by the rule that is meant to notice it.
func TestWrongImports(t *testing.T) {
	for _, test := range []struct{ from, to, rule string }{
		{"publisher", "subscriber", "publisher may import"},
		{"subscriber", "publisher", "layer"},
		{"subscriber", "internal/bus", "layer"},
		{"subscriber", "internal/httpd", "subscriber may import"},
		{"subscriber", "github.com/prometheus/client_golang/prometheus", "is reserved for"},
		{"subscriber", "github.com/nats-io/nats.go/jetstream", "is reserved for"},
		{"subscriber", "example.org/new/dependency", "defended"},
		{"subscriber/wechatsdk", "internal/secret", "subscriber/wechatsdk may import"},
		{"internal/wire", "internal/bus", "layer"},
		{"internal/wire", "internal/wechat", "layer"},
		{"internal/wechat", "publisher", "layer"},
		{"internal/wxsim", "publisher", "layer"},
		{"internal/wxsim", "internal/wechat", "internal/wxsim may import"},
		{"internal/agent", "internal/config", "layer"},
		{"internal/statuspage", "internal/config", "is reserved for"},
		{"internal/demo", "internal/natstest", "is reserved for"},
		{"cmd/wxtoken", "github.com/go-co-op/gocron/v2", "is reserved for"},
		{"cmd/wxtoken", "internal/new", "layer"},
		{"cmd/wxtoken", "net/http/pprof", "is reserved for"},
		{"examples/service", "internal/wire", "examples/service may import"},
	} {
		problems := broken(graph{test.from: {test.to}})
		if !strings.Contains(strings.Join(problems, "\n"), test.rule) {
			t.Errorf("%s imports %s: the rule %q says nothing of it, only %q", test.from, test.to, test.rule, problems)
		}
	}
}

// imports are those of the tree's packages, or of their test files.
func imports(tree []*pkg, tests bool) graph {
	g := graph{}
	for _, p := range tree {
		files := p.files
		if tests {
			files = p.tests
		}
		for _, f := range files {
			for _, spec := range f.Imports {
				g[p.path] = append(g[p.path], strings.TrimPrefix(strings.Trim(spec.Path.Value, `"`), module))
			}
		}
		slices.Sort(g[p.path])
		g[p.path] = slices.Compact(g[p.path])
	}
	return g
}

func broken(g graph) []string {
	problems := undefended(g)
	for _, from := range slices.Sorted(maps.Keys(g)) {
		for _, to := range g[from] {
			problems = append(problems, upward(from, to)...)
			problems = append(problems, beyond(from, to)...)
			problems = append(problems, trespass(from, to)...)
		}
	}
	return problems
}

func upward(from, to string) []string {
	if foreign(to) || standard(to) || layerOf(to) >= 0 && layerOf(to) < layerOf(from) {
		return nil
	}
	return []string{fmt.Sprintf("%s (layer %d) imports %s (layer %d): arrows point down only; -1 means that the table `layers` lacks the package",
		from, layerOf(from), to, layerOf(to))}
}

func beyond(from, to string) []string {
	for _, l := range limits() {
		if l.pkg == from && !foreign(to) && !standard(to) && !slices.Contains(l.may, to) {
			return []string{fmt.Sprintf("%s imports %s: of ours %s may import %q only, for %s", from, to, from, l.may, l.why)}
		}
	}
	return nil
}

func trespass(from, to string) []string {
	if r := reservationOf(to); r != nil && !slices.Contains(r.by, from) {
		return []string{fmt.Sprintf("%s imports %s: %s is reserved for %q, for %s", from, to, r.path, r.by, r.why)}
	}
	return nil
}

// undefended are imports of foreign modules that no rule names.
func undefended(g graph) []string {
	var problems []string
	for _, from := range slices.Sorted(maps.Keys(g)) {
		for _, to := range g[from] {
			if foreign(to) && reservationOf(to) == nil {
				problems = append(problems, fmt.Sprintf("%s imports %s: a new dependency is defended in the table `reserved`; "+
					"one of tests alone belongs in a module of its own", from, to))
			}
		}
	}
	return problems
}

// unknown are packages that a rule names and that aren't there: such a rule can't be broken.
func unknown(tree []*pkg) []string {
	var named []string
	for _, layer := range layers() {
		named = append(named, layer...)
	}
	for _, l := range limits() {
		named = append(append(named, l.pkg), l.may...)
	}
	for _, r := range reserved() {
		named = append(named, r.by...)
		if !foreign(r.path) && !standard(r.path) {
			named = append(named, r.path)
		}
	}
	slices.Sort(named)
	var problems []string
	for _, name := range slices.Compact(named) {
		if !slices.ContainsFunc(tree, func(p *pkg) bool { return p.path == name && len(p.files) > 0 }) {
			problems = append(problems, name+" is named by a rule, but there is no such package")
		}
	}
	return problems
}

func layerOf(path string) int {
	return slices.IndexFunc(layers(), func(layer []string) bool { return slices.Contains(layer, path) })
}

// reservationOf is the rule for a path that names the most of it.
func reservationOf(path string) *reservation {
	var best *reservation
	for _, r := range reserved() {
		if (path == r.path || strings.HasPrefix(path, r.path+"/") && foreign(path)) && (best == nil || len(r.path) > len(best.path)) {
			best = &r
		}
	}
	return best
}
