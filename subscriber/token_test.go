package subscriber

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestPrintingShowsNoToken(t *testing.T) {
	type open struct{ T Token }
	type shut struct{ t Token }
	withSource(t, time.Hour, func(t *testing.T, w *world, _ *nats.Conn, src *Source) {
		tok := want(t, src, 1, nil)
		values := []any{tok, &tok, open{tok}, &open{tok}, shut{tok}, &shut{tok}, []Token{tok}, []any{shut{tok}},
			map[string]*Token{"a": &tok}, map[Token]int{tok: 1}, src, *src.now.Load(), src.now.Load()}
		for _, v := range values {
			var out bytes.Buffer
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
				fmt.Fprintf(&out, verb, v)
			}
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
			if text, err := json.Marshal(v); err == nil {
				out.Write(text)
			}
			noTokenIn(t, out.String())
		}
		if got := fmt.Sprint(tok); !bytes.Contains([]byte(got), []byte(tok.ID)) {
			t.Errorf("%q doesn't name the token", got)
		}
	})
}

func TestZeroToken(t *testing.T) {
	var zero Token
	if zero.AccessToken() != "" {
		t.Error("the zero Token has a token")
	}
	_ = fmt.Sprint(zero)
}
