package subscriber

import (
	"go/build"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// stored is a message as JetStream republishes it.
func stored(data []byte, sequence string) *nats.Msg {
	return &nats.Msg{Data: data, Header: nats.Header{"Nats-Sequence": {sequence}, "Nats-Stream": {"KV_wx_token"},
		"Nats-Subject": {"$KV.wx_token." + appid + ".access_token"}}}
}

func TestEveryWrongOptionIsNamed(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		nc := w.connect()
		defer nc.Close()
		_, err := Open(t.Context(), nc, "wx.*", WithClient("no spaces"), WithBucket("a.b"))
		if err == nil {
			t.Fatal("Open took wrong options")
		}
		for _, problem := range []string{"wx.*", "no spaces", "a.b"} {
			if !strings.Contains(err.Error(), problem) {
				t.Errorf("%q is not named in: %v", problem, err)
			}
		}
	})
	for _, wrong := range []Option{WithBucket(""), WithBucket("a b"), WithSubjectPrefix(""), WithSubjectPrefix("a..b"),
		WithSubjectPrefix("a.>"), WithClient(""), WithClient(strings.Repeat("a", 65))} {
		if _, err := readOptions(appid, []Option{wrong}); err == nil {
			t.Error("a wrong option is taken")
		}
	}
}

func TestDefaults(t *testing.T) {
	o, err := readOptions(appid, []Option{WithLogger(nil), WithClient("orders/pod-7")})
	if err != nil || o.client != "orders/pod-7" || o.names != wire.DefaultNames() {
		t.Errorf("options %+v, %v", o, err)
	}
	if o.log.Enabled(t.Context(), slog.LevelError) {
		t.Error("a nil logger logs")
	}
	if name := defaultClient(); !plainClient(name) {
		t.Errorf("the default client %q would be dropped", name)
	}
}

// Users of this package inherit nothing but nats.go.
func TestImports(t *testing.T) {
	seen := map[string]bool{}
	var visit func(dir string)
	visit = func(dir string) {
		pkg, err := build.ImportDir(dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range pkg.Imports {
			own, isOwn := strings.CutPrefix(path, "github.com/wxtoken/wxtoken/")
			switch {
			case path == "github.com/nats-io/nats.go" || !strings.Contains(path, "."):
			case isOwn: // and what they import
				if !seen[own] {
					seen[own] = true
					visit("../" + own)
				}
			default:
				t.Errorf("%s imports %s", dir, path)
			}
		}
	}
	visit(".")
}
