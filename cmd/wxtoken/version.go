package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// version is semantic, as micro wants it. Releases set it with -ldflags "-X main.version=…".
var version = "0.1.0"

func runVersion(_ context.Context, out, _ io.Writer) error {
	_, err := fmt.Fprintf(out, "wxtoken %s%s %s %s/%s\n", version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// commit is what the binary was built from, as far as Go recorded it.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return " (" + s.Value + ")"
		}
	}
	return ""
}
