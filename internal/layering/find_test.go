package layering

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// all collects the nodes of the package that are asked for.
func (s *source) all(wanted func(ast.Node) bool) []ast.Node {
	var found []ast.Node
	for _, f := range s.files {
		ast.Inspect(f, func(n ast.Node) bool {
			if n != nil && wanted(n) {
				found = append(found, n)
			}
			return true
		})
	}
	return found
}

// imported names what a selector takes from which package, if it does.
func (s *source) imported(n ast.Node) (path, name string) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	if p, ok := s.info.Uses[x].(*types.PkgName); ok {
		return p.Imported().Path(), sel.Sel.Name
	}
	return "", ""
}

func initFunctions(s *source) []ast.Node {
	return s.all(func(n ast.Node) bool {
		f, ok := n.(*ast.FuncDecl)
		return ok && f.Recv == nil && f.Name.Name == "init"
	})
}

// calls finds every use of a package's names, called or not.
func calls(path string, names ...string) func(*source) []ast.Node {
	return func(s *source) []ast.Node {
		return s.all(func(n ast.Node) bool {
			p, name := s.imported(n)
			return p == path && slices.Contains(names, name)
		})
	}
}

// exits finds os.Exit outside of main itself.
func exits(s *source) []ast.Node {
	found := calls("os", "Exit")(s)
	for _, f := range s.files {
		for _, d := range f.Decls {
			if main, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "main" && main.Recv == nil && main.Name.Name == "main" {
				found = slices.DeleteFunc(found, func(n ast.Node) bool { return main.Pos() <= n.Pos() && n.End() <= main.End() })
			}
		}
	}
	return found
}

// logging finds all of package log but its constructor and type, and slog's functions that use the default logger.
func logging(s *source) []ast.Node {
	found := s.all(func(n ast.Node) bool {
		path, name := s.imported(n)
		return path == "log" && name != "New" && name != "Logger" && !strings.HasPrefix(name, "L")
	})
	return append(found, calls("log/slog", "Default", "SetDefault", "Debug", "Info", "Warn", "Error", "DebugContext", "InfoContext",
		"WarnContext", "ErrorContext", "Log", "LogAttrs", "With")(s)...)
}

func registries(s *source) []ast.Node {
	return slices.Concat(
		calls("net/http", "DefaultServeMux", "Handle", "HandleFunc")(s),
		calls("github.com/prometheus/client_golang/prometheus", "MustRegister", "Register", "Unregister", "DefaultRegisterer", "DefaultGatherer")(s),
		calls("github.com/prometheus/client_golang/prometheus/promhttp", "Handler")(s),
	)
}

// changes finds assignments to variables of the package, or to parts of them. What is done through a pointer it doesn't see.
func changes(s *source) []ast.Node {
	return s.all(func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			return n.Tok != token.DEFINE && slices.ContainsFunc(n.Lhs, s.ofPackage)
		case *ast.IncDecStmt:
			return s.ofPackage(n.X)
		case *ast.RangeStmt:
			return n.Tok == token.ASSIGN && (s.ofPackage(n.Key) || n.Value != nil && s.ofPackage(n.Value))
		case *ast.CallExpr:
			f, ok := n.Fun.(*ast.Ident)
			return ok && (f.Name == "delete" || f.Name == "clear" || f.Name == "copy") && len(n.Args) > 0 && s.ofPackage(n.Args[0])
		}
		return false
	})
}

// ofPackage tells whether what is written to hangs on a variable of this package or of an imported one.
func (s *source) ofPackage(e ast.Expr) bool {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			v, ok := s.info.Uses[x].(*types.Var)
			return ok && v.Parent() == s.scope
		case *ast.SelectorExpr:
			if path, _ := s.imported(x); path != "" {
				return true
			}
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		default:
			return false
		}
	}
}

// synchronised finds variables of the package that are declared with anything of sync or sync/atomic, or with a channel.
func synchronised(s *source) []ast.Node {
	var found []ast.Node
	for _, f := range s.files {
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR && s.synchronises(g) {
				found = append(found, g)
			}
		}
	}
	return found
}

func (s *source) synchronises(d *ast.GenDecl) (does bool) {
	ast.Inspect(d, func(n ast.Node) bool {
		_, isChan := n.(*ast.ChanType)
		path, _ := s.imported(n)
		does = does || isChan || path == "sync" || path == "sync/atomic"
		return !does
	})
	return does
}

// storedContexts finds contexts in structs, but for those of a thing's own lifetime, which it ends with the function beside it.
func storedContexts(s *source) []ast.Node {
	return s.all(func(n ast.Node) bool {
		st, ok := n.(*ast.StructType)
		return ok && s.hasField(st, "Context") && !s.hasField(st, "CancelFunc")
	})
}

func (s *source) hasField(st *ast.StructType, typeName string) bool {
	return slices.ContainsFunc(st.Fields.List, func(f *ast.Field) bool {
		path, name := s.imported(f.Type)
		return path == "context" && name == typeName
	})
}
