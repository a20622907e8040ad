package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// compatible are the licences (SPDX) of what may be linked into a program under Apache 2.0 with no duty but to pass
// on notices. Others, the Mozilla licence among them, are for people to decide on, module by module.
func compatible() []string {
	return []string{"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "CC0-1.0", "Unlicense"}
}

// certain is the share of a file, in per cent, that must be the text of known licences. The rest is names and years.
const certain = 85

func licenceFile() *regexp.Regexp { return regexp.MustCompile(`(?i)^((un)?licen[cs]e|copying)`) }

// licencesOf names all licences of the module's linked packages, sorted.
func licencesOf(m *module) ([]string, error) {
	files, err := licenceFiles(m)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		names, err := identify(text)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %s: %w", m.Path, m.Version, filepath.Base(file), err)
		}
		all = append(all, names...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s %s: no licence found", m.Path, m.Version)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// licenceFiles are those in the folders of the linked packages and above them, up to the module's own.
func licenceFiles(m *module) ([]string, error) {
	var files []string
	seen := map[string]bool{}
	name := licenceFile()
	for _, dir := range m.packages {
		for ; !seen[dir]; dir = filepath.Dir(dir) {
			seen[dir] = true
			entries, err := os.ReadDir(dir)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				if e.Type().IsRegular() && name.MatchString(e.Name()) && filepath.Ext(e.Name()) != ".go" {
					files = append(files, filepath.Join(dir, e.Name()))
				}
			}
			if dir == m.Dir {
				break
			}
		}
	}
	return files, nil
}

// identify names the licences in a text, which must be compatible ones and hardly anything else.
func identify(text []byte) ([]string, error) {
	cover := licensecheck.Scan(text)
	if cover.Percent < certain {
		return nil, fmt.Errorf("only %.0f %% is the text of a known licence", cover.Percent)
	}
	var names []string
	for _, match := range cover.Match {
		if !slices.Contains(compatible(), match.ID) {
			return nil, fmt.Errorf("%s is not among %s", match.ID, strings.Join(compatible(), ", "))
		}
		names = append(names, match.ID)
	}
	return names, nil
}
