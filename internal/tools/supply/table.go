package main

import (
	"fmt"
	"io"
	"strings"
)

const tableHead = `# Licences

What is linked into ` + "`wxtoken` and `examples/service`" + ` on Linux, macOS and Windows (amd64, arm64), beside Go's standard library
(BSD-3-Clause) and wxtoken itself ([Apache-2.0](../LICENSE)). Several licences hold together, each for a part of the module.
Written by ` + "`go -C internal/tools run ./supply licences ../.. >docs/licences.md`" + `, from the repository's root; [more](supply-chain.md).

| module | version | licence | text |
|---|---|---|---|
`

// writeTable is docs/licences.md.
func writeTable(w io.Writer, modules []*module) error {
	var b strings.Builder
	b.WriteString(tableHead)
	for _, m := range modules {
		licences, err := licencesOf(m)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | [text](https://pkg.go.dev/%[1]s@%[2]s?tab=licenses) |\n", m.Path, m.Version, strings.Join(licences, " AND "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
