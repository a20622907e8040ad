// Package layering holds the tests of how wxtoken is put together: who may import whom, and what no package may do.
//
// There is nothing to import here. `go test ./internal/layering` reads the sources of the whole module, whatever system and
// build tags they are for, and says which rule a change breaks and why there is such a rule. The rules are three tables:
//
//   - layers: each package stands in one, and imports of ours point to lower ones only. A new package is put there first.
//   - limits: what some packages may import of ours, which is less than their layer would let them.
//   - reserved: who may import a foreign module, or a package of ours that is not for everyone. A foreign module that isn't
//     in the table may be imported by nobody: that is where a new dependency is defended.
//
// and a fourth, habits: no init, no package-level logger, registry or changing variable, no environment but where settings
// are read, no stored context but that of a thing's own lifetime. Test files are free in all but foreign modules, which our
// users' go.mod would name: what needs more is a module of its own, like internal/sdktest.
//
// A rule is changed together with the design, not to let a change pass.
package layering
