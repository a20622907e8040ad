package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime/debug"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
)

// writeSBOM writes what the binary says it was linked of, with the modules' licences. The same binary has the same SBOM:
// there is no time and no serial number in it.
func writeSBOM(w io.Writer, binary string, modules []*module) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	sum, err := fileSum(binary)
	if err != nil {
		return err
	}
	components, err := dependencies(info, modules)
	if err != nil {
		return err
	}
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Component: program(info, sum)}
	bom.Components = &components
	return cyclonedx.NewBOMEncoder(w, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cyclonedx.SpecVersion1_6)
}

func fileSum(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// program is the binary itself: its name, its bytes, and how it was built.
func program(info *debug.BuildInfo, sum string) *cyclonedx.Component {
	properties := []cyclonedx.Property{{Name: "go:version", Value: info.GoVersion}}
	for _, s := range info.Settings {
		properties = append(properties, cyclonedx.Property{Name: "go:build:" + s.Key, Value: s.Value})
	}
	return &cyclonedx.Component{
		Type:       cyclonedx.ComponentTypeApplication,
		BOMRef:     info.Path,
		Name:       path.Base(info.Path),
		Licenses:   spdx([]string{"Apache-2.0"}),
		Hashes:     &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: sum}},
		Properties: &properties,
	}
}

// dependencies are the linked modules, in the binary's order, after the standard library, which scanners look up too.
func dependencies(info *debug.BuildInfo, modules []*module) ([]cyclonedx.Component, error) {
	known := map[string]*module{}
	for _, m := range modules {
		known[m.Path+"@"+m.Version] = m
	}
	components := []cyclonedx.Component{library("std", strings.TrimPrefix(info.GoVersion, "go"), []string{"BSD-3-Clause"})}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			return nil, fmt.Errorf("%s is replaced by %s", dep.Path, dep.Replace.Path)
		}
		m := known[dep.Path+"@"+dep.Version]
		if m == nil {
			return nil, fmt.Errorf("%s %s is linked, but the sources don't say so: %w", dep.Path, dep.Version, errOtherSources)
		}
		licences, err := licencesOf(m)
		if err != nil {
			return nil, err
		}
		components = append(components, library(dep.Path, dep.Version, licences))
	}
	return components, nil
}

// errOtherSources: build the binary again, of the sources that ROOT names.
var errOtherSources = errors.New("the binary was built of other sources")

func library(name, version string, licences []string) cyclonedx.Component {
	purl := "pkg:golang/" + name + "@" + version
	return cyclonedx.Component{
		Type: cyclonedx.ComponentTypeLibrary, BOMRef: purl, Name: name, Version: version, PackageURL: purl, Licenses: spdx(licences),
	}
}

// spdx is one licence by its name, or several as an expression.
func spdx(names []string) *cyclonedx.Licenses {
	if len(names) == 1 {
		return &cyclonedx.Licenses{{License: &cyclonedx.License{ID: names[0]}}}
	}
	return &cyclonedx.Licenses{{Expression: strings.Join(names, " AND ")}}
}
