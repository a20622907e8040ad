package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"runtime/debug"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
)

// The binary is this test's own.
func TestSBOM(t *testing.T) {
	binary, modules := ownBinary(t)
	var first, second bytes.Buffer
	if err := errors.Join(writeSBOM(&first, binary, modules), writeSBOM(&second, binary, modules)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same binary has two SBOMs")
	}
	var bom cyclonedx.BOM
	if err := json.Unmarshal(first.Bytes(), &bom); err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, c := range *bom.Components {
		listed[c.PackageURL] = len(*c.Licenses) > 0
	}
	for _, m := range modules {
		if purl := "pkg:golang/" + m.Path + "@" + m.Version; !listed[purl] {
			t.Errorf("%s isn't listed, or without a licence", purl)
		}
	}
	if len(listed) != len(modules)+1 { // the standard library
		t.Errorf("lists %d components of %d modules", len(listed), len(modules))
	}
}

func TestSBOMOfOtherSources(t *testing.T) {
	binary, modules := ownBinary(t)
	modules[0].Version = "v0.0.1"
	if err := writeSBOM(new(bytes.Buffer), binary, modules); !errors.Is(err, errOtherSources) {
		t.Errorf("got %v", err)
	}
}

func ownBinary(t *testing.T) (string, []*module) {
	t.Helper()
	binary, err := os.Executable()
	info, ok := debug.ReadBuildInfo()
	if err != nil || !ok || len(info.Deps) == 0 {
		t.Fatalf("this test doesn't know what it was built of: %v", err)
	}
	var modules []*module
	for _, dep := range info.Deps {
		m := moduleOf(t, map[string]string{"LICENSE": mit})
		m.Path, m.Version = dep.Path, dep.Version
		modules = append(modules, m)
	}
	return binary, modules
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"licences"}, {"sbom", "."}, {"licenses", "."}} {
		if code := run(t.Context(), args, new(bytes.Buffer), new(bytes.Buffer)); code != 2 {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}
