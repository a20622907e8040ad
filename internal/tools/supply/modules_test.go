package main

import (
	"slices"
	"testing"
)

func TestModulesOfPackages(t *testing.T) {
	found := map[string]*module{}
	// As `go list` prints it: objects one after the other.
	err := addModules(found, []byte(`
		{"Dir": "/go/src/fmt"}
		{"Dir": "/src", "Module": {"Path": "example.org/ours", "Main": true}}
		{"Dir": "/mod/m@v1.0.0/a", "Module": {"Path": "example.org/m", "Version": "v1.0.0", "Dir": "/mod/m@v1.0.0"}}
		{"Dir": "/mod/m@v1.0.0/b", "Module": {"Path": "example.org/m", "Version": "v1.0.0", "Dir": "/mod/m@v1.0.0"}}
		{"Dir": "/mod/m@v1.0.0/a", "Module": {"Path": "example.org/m", "Version": "v1.0.0", "Dir": "/mod/m@v1.0.0"}}`))
	if err != nil {
		t.Fatal(err)
	}
	m := found["example.org/m"]
	if len(found) != 1 || m == nil || !slices.Equal(m.packages, []string{"/mod/m@v1.0.0/a", "/mod/m@v1.0.0/b"}) {
		t.Errorf("got %v", found)
	}
}

// Nobody can look up what a replaced module is, so it has no place in a release.
func TestReplacedModuleIsRefused(t *testing.T) {
	err := addModules(map[string]*module{}, []byte(`{"Module": {"Path": "example.org/m", "Version": "v1.0.0", "Replace": {"Path": "../m"}}}`))
	if err == nil {
		t.Error("a replaced module is listed as if it were the real one")
	}
}
