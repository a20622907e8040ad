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

func FuzzReadEntry(f *testing.F) {
	good, _ := token(1, time.Hour).Encode()
	f.Add(good, "7")
	f.Add([]byte("{}"), "")
	for _, times := range [][2]string{{"2026-11-22T17:30:00Z", "2026-11-22T15:30:00Z"}, {"9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z"}} {
		for _, life := range []string{"0", "-5", "9223372036854775807"} { // a token that was minted after its end, and such
			f.Add(fmt.Appendf(nil, `{"appid":%q,"kind":"access_token","access_token":"84_token","expires_in":%s,"minted_at":%q,
				"expires_at":%q,"generation":5}`, appid, life, times[0], times[1]), "7")
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, sequence string) {
		msg := stored(data, sequence)
		e, err := readEntry(msg, namesOfTests, appid)
		if err == nil && (e.AppID != appid || e.Generation == 0 || e.Token.IsZero()) {
			t.Errorf("took %q", data)
		}
		if err == nil {
			snap := snapshotOf(e, localClock(), time.Now())
			new(schedule).plan(snap.end, snap.life)
			new(schedule).askAgain(time.Now(), snap)
		}
	})
}

func FuzzReadReply(f *testing.F) {
	f.Add([]byte(`{"outcome":"replaced"}`), "")
	f.Add([]byte(`{"errcode":40164}`), "502")
	s := &Source{feed: &feed{}}
	here := localClock()
	s.feed.clock.Store(&here)
	f.Fuzz(func(t *testing.T, data []byte, code string) {
		reply, err := s.readReply(replied(data, code))
		if err == nil && reply.Outcome == "" {
			t.Errorf("took %q", data)
		}
	})
}
