package deploy

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// standIn makes an image under a tag that the Dockerfile builds on, of what this machine has: no registry is needed. An
// image that is there already is left alone and used. Ours goes when the test ends, so that nobody builds on it.
func standIn(t *testing.T, tag string, env string, fill func(*tree)) {
	t.Helper()
	label, err := exec.Command("docker", "image", "inspect", "-f", `{{index .Config.Labels "wxtoken"}}`, tag).Output()
	if err == nil && strings.TrimSpace(string(label)) != "stand-in" { // one of ours was left behind by a test that was killed
		t.Logf("%s is there and is used", tag)
		return
	}
	in, out := io.Pipe()
	build := exec.CommandContext(t.Context(), "docker", "build", "-q", "-t", tag, "-")
	build.Stdin = in
	go func() {
		f := &tree{t: t, tar: tar.NewWriter(out)}
		f.text("Dockerfile", "FROM scratch\nLABEL wxtoken=stand-in\nCOPY . /\nENV "+env+"\n")
		fill(f)
		out.CloseWithError(f.tar.Close())
	}()
	t.Cleanup(func() { // with the stages that were built on it, which have no name
		_ = exec.Command("docker", "rmi", tag).Run()
		_ = exec.Command("docker", "image", "prune", "-f", "--filter", "label=wxtoken=stand-in").Run()
	})
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("stand-in for %s: %v\n%s", tag, err, said)
	}
}

// standInNATS is the server that the module has, and the wget of Alpine's images.
func standInNATS(t *testing.T) {
	dir := t.TempDir()
	goBuild(t, filepath.Join(dir, "nats-server"), "github.com/nats-io/nats-server/v2")
	goBuild(t, filepath.Join(dir, "wget"), "./testdata/wget")
	standIn(t, "nats:2.15.2-alpine", "PATH=/usr/local/bin", func(f *tree) { f.dir(dir, "usr/local/bin", all) })
}

// standInGo is this machine's Go, with the modules that the build needs.
func standInGo(t *testing.T) {
	modules := t.TempDir()
	for _, file := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(modules, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	download := exec.CommandContext(t.Context(), "go", "mod", "download")
	download.Dir = modules
	cache := filepath.Join(modules, "cache")
	download.Env = append(os.Environ(), "GOMODCACHE="+cache, "GOFLAGS=-modcacherw", "GOPROXY=file://"+goEnv(t, "GOMODCACHE")+"/cache/download,"+goEnv(t, "GOPROXY"))
	if said, err := download.CombinedOutput(); err != nil {
		t.Fatalf("go mod download: %v\n%s", err, said)
	}
	standIn(t, "golang:1.26.8-alpine", "PATH=/usr/local/go/bin HOME=/root GOTOOLCHAIN=local GOPROXY=off GOSUMDB=off GOMODCACHE=/go", func(f *tree) {
		f.dir(goEnv(t, "GOROOT"), "usr/local/go", toolchain)
		f.dir(cache, "go", all)
		f.file("/etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/ca-certificates.crt")
		f.text("tmp/.keep", "")
	})
}

func goBuild(t *testing.T, out, pkg string) {
	t.Helper()
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, said)
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	value, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(value))
}

func all(string) bool { return true }

// toolchain is what building takes of a GOROOT.
func toolchain(path string) bool {
	top, _, _ := strings.Cut(path, "/")
	switch top {
	case "bin", "pkg", "src", "lib", "go.env", "VERSION":
		return !strings.HasSuffix(path, "_test.go") && !strings.Contains(path, "/testdata/")
	}
	return false
}

// tree is the context of an image's build.
type tree struct {
	t   *testing.T
	tar *tar.Writer
}

func (f *tree) dir(from, to string, wanted func(path string) bool) {
	f.check(fs.WalkDir(os.DirFS(from), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && wanted(path) {
			f.file(filepath.Join(from, path), to+"/"+path)
		}
		return err
	}))
}

func (f *tree) file(from, to string) {
	file, err := os.Open(from)
	if err != nil {
		f.check(err)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	f.check(err)
	f.check(f.tar.WriteHeader(&tar.Header{Name: to, Mode: int64(info.Mode().Perm()), Size: info.Size()}))
	_, err = io.Copy(f.tar, file)
	f.check(err)
}

func (f *tree) text(to, content string) {
	f.check(f.tar.WriteHeader(&tar.Header{Name: to, Mode: 0o644, Size: int64(len(content))}))
	_, err := io.WriteString(f.tar, content)
	f.check(err)
}

func (f *tree) check(err error) {
	if err != nil {
		f.t.Errorf("context of the image: %v", err)
	}
}
