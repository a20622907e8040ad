package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const (
	mit = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify,
merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished
to do so, subject to the following conditions: The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED,
INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT
SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT
OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`
	mozilla = `This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0. If a copy of the MPL was not
distributed with this file, You can obtain one at https://mozilla.org/MPL/2.0/.`
	apache = `Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance with
the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0 Unless required by applicable law or
agreed to in writing, software distributed under the License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF
ANY KIND, either express or implied. See the License for the specific language governing permissions and limitations under the License.`
	private = `All rights reserved. Not to be copied, sold, or shown to strangers, by day or by night.`
)

func TestLicences(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string // of a module whose package a/b is linked
		want  []string          // none: refused
	}{
		{"one", map[string]string{"LICENSE": mit}, []string{"MIT"}},
		{"spelt otherwise", map[string]string{"Licence.md": mit}, []string{"MIT"}},
		{"one for each part", map[string]string{"LICENSE": mit, "a/b/COPYING": apache}, []string{"Apache-2.0", "MIT"}},
		{"both in one file", map[string]string{"LICENSE": mit + "\n\n" + apache}, []string{"Apache-2.0", "MIT"}},
		{"above the package", map[string]string{"a/LICENSE": mit}, []string{"MIT"}},
		{"of a package that isn't linked", map[string]string{"LICENSE": mit, "a/c/LICENSE": mozilla}, []string{"MIT"}},
		{"of a linked package", map[string]string{"LICENSE": mit, "a/b/LICENSE": mozilla}, nil},
		{"incompatible", map[string]string{"LICENSE": mozilla}, nil},
		{"unknown", map[string]string{"LICENSE": private}, nil},
		{"with unknown additions", map[string]string{"LICENSE": mit + private + private + private}, nil},
		{"none", map[string]string{"README": mit}, nil},
		{"a program about licences", map[string]string{"license.go": mit}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := licencesOf(moduleOf(t, test.files))
			if !slices.Equal(got, test.want) || (err == nil) != (test.want != nil) {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func moduleOf(t *testing.T, files map[string]string) *module {
	t.Helper()
	dir := t.TempDir()
	linked := filepath.Join(dir, "a", "b")
	for _, name := range append(slices.Collect(maps.Keys(files)), "a/b/b.go") {
		name := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &module{Path: "example.org/m", Version: "v1.0.0", Dir: dir, packages: []string{linked}}
}
