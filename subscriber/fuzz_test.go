package subscriber

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/tokenquery"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// This file needs no other test file, so that .ci/fuzz can build it without them: with a NATS server in the binary, whose
// code then counts as coverage, fuzzing is many times slower.

const (
	fuzzAppID = "wx0123456789abcdef"
	fuzzValue = `{"appid":"` + fuzzAppID + `","kind":"access_token","access_token":"84_token","expires_in":%s,"minted_at":%q,"expires_at":%q,"generation":5}`
)

// What JetStream republishes, or sends in reply to a direct get; the same bytes may also be those of a warm start's file.
func FuzzReadEntry(f *testing.F) {
	const origin = "Nats-Sequence: 7\r\nNats-Stream: KV_wx_token\r\nNats-Subject: $KV.wx_token." + fuzzAppID + ".access_token\r\n"
	good := fmt.Appendf(nil, fuzzValue, "7200", "2026-11-22T15:30:00Z", "2126-11-22T17:30:00Z")
	for _, head := range []string{origin, origin + "KV-Operation: DEL\r\n", "Nats-Sequence: 9\r\n" + origin, "404 Message Not Found\r\n", ""} {
		f.Add(good, head)
	}
	f.Add([]byte("{}"), origin)
	for _, times := range [][2]string{{"2026-11-22T17:30:00Z", "2026-11-22T15:30:00Z"}, {"9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z"}} {
		for _, life := range []string{"0", "-5", "9223372036854775807"} { // a token that was minted after its end, and such
			f.Add(fmt.Appendf(nil, fuzzValue, life, times[1], times[0]), origin)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, head string) {
		header, err := nats.DecodeHeadersMsg([]byte("NATS/1.0\r\n" + strings.TrimSuffix(head, "\r\n") + "\r\n\r\n"))
		if err != nil {
			return
		}
		e, err := readEntry(&nats.Msg{Data: data, Header: header}, wire.DefaultNames(), fuzzAppID)
		checkEntry(t, e, err)
		if sequence := header["Nats-Sequence"]; err == nil && fmt.Sprint(e.revision) != strings.TrimLeft(sequence[len(sequence)-1], "0") && e.revision != 0 {
			t.Errorf("revision %d of %q", e.revision, sequence)
		}
		now := time.Now()
		kept, err := readKept(data, fuzzAppID, now)
		checkEntry(t, kept, err)
		if err == nil && (!kept.ExpiresAt.After(now) || kept.ExpiresAt.Sub(now) > kept.ExpiresIn+maxAhead) {
			t.Errorf("the kept token lives from %v until %v", kept.MintedAt, kept.ExpiresAt)
		}
	})
}

// checkEntry checks what becomes of a value that was taken.
func checkEntry(t *testing.T, e entry, err error) {
	t.Helper()
	if err != nil {
		if strings.Contains(err.Error(), "84_token") {
			t.Errorf("a token is shown: %v", err)
		}
		return
	}
	if e.AppID != fuzzAppID || e.Kind != wire.KindAccessToken || e.Token.IsZero() || e.ID != wire.TokenID(e.Token.Reveal()) || e.Generation == 0 {
		t.Errorf("took %+v", e)
	}
	now := time.Now()
	snap := snapshotOf(e, localClock(), now)
	if snap.life < 0 || snap.end.After(now.Add(snap.life)) || (snap.err == nil) != snap.end.After(now) {
		t.Errorf("a token that lives for %v ends in %v: %v", snap.life, snap.end.Sub(now), snap.err)
	}
	var s schedule
	if s.plan(snap.end, snap.life); s.askAt.After(snap.end) {
		t.Errorf("a successor is asked for %v after the end", s.askAt.Sub(snap.end))
	}
	if s.askAgain(now, snap); s.askAt.Sub(now) < firstRetry/2 {
		t.Errorf("asked again after %v", s.askAt.Sub(now))
	}
}

// Replies to a report, from whoever answers on its subject, and the server's to STREAM.INFO.
func FuzzReadReply(f *testing.F) {
	f.Add([]byte(`{"appid":"wx1","id":"9f86d081884c7d65","revision":42,"expires_at":"2026-11-22T17:30:00Z","outcome":"replaced"}`), "", "")
	f.Add([]byte(`{"outcome":"minted"}`), "", "")
	f.Add([]byte(`{"errcode":40164,"errmsg":"invalid ip"}`), "502", "refused")
	f.Add([]byte(`{"retry_at":"9999-12-31T23:59:59Z"}`), "429", "budget")
	f.Add([]byte(`[]`), "503", "try again")
	f.Add([]byte(`{}`), "\x1b[2J", "an error that was logged as it came")
	f.Add([]byte(`{"ts":"2026-11-22T17:30:00Z","total":9,"config":{"allow_direct":true,"republish":{"src":"$KV.wx_token.>","dest":"wx.token.update.>"}},
		"state":{"subjects":{"$KV.wx_token.wx1.access_token":1}},"error":{"code":503,"description":"no leader"}}`), "404", "")
	s := &Source{feed: &feed{}}
	here := localClock()
	s.feed.clock.Store(&here)
	f.Fuzz(func(t *testing.T, data []byte, code, description string) {
		header := nats.Header{"Nats-Service-Error-Code": {code}, "Nats-Service-Error": {description}}
		reply, err := s.readReply(&nats.Msg{Data: data, Header: header})
		checkShort(t, err)
		switch {
		case (err == nil) != (reply != wire.Reply{}):
			t.Errorf("%+v beside %v", reply, err)
		case err == nil && (code != "" || !json.Valid(data)):
			t.Errorf("took %q with code %q", data, code)
		case code == "404" && err != ErrUnknownAccount, code == "503" && !worthRetrying(err, 0):
			t.Errorf("code %s: %v", code, err)
		}
		info, err := readInfo(data, wire.DefaultNames())
		checkShort(t, err)
		if err == nil && (!info.Config.AllowDirect || info.Error.Code != 0) {
			t.Errorf("a stream that doesn't do is fine: %s", data)
		}
	})
}

// checkShort checks that an error may be logged, whatever it quotes.
func checkShort(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if text := err.Error(); len(text) > 2500 || strings.ContainsAny(text, "\r\n\x00\x1b") {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}

// The beginning of replies to business calls.
func FuzzScan(f *testing.F) {
	for _, body := range []string{`{"errcode":40001,"errmsg":"x"}`, `{"a":"\"","errcode":42001}`, "\xEF\xBB\xBF{", `{"errcode":0}`, "[", `{"a":1.5,"errcode":40014 }`} {
		f.Add([]byte(body), 3)
	}
	f.Add([]byte(`{"errmsg":"`+strings.Repeat("p", maxRefusal)+`","errcode":40001}`), 700)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		var whole, split scan
		verdict := whole.feed(data)
		cut = min(max(cut, 0), len(data))
		halves := split.feed(data[:cut])
		if halves == undecided {
			halves = split.feed(data[cut:])
		}
		if halves != verdict {
			t.Errorf("%q: %d, cut at %d: %d", data, verdict, cut, halves)
		}
		checkPeek(t, data, cut)
		if code, simple := errcodeOf(data); simple && refuses(code) != (verdict == refusal) {
			t.Errorf("%q: %d", data, verdict)
		}
	})
}

// refuses tells whether an errcode means that the token was refused.
func refuses(code string) bool { return code == "40001" || code == "40014" || code == "42001" }

// errcodeOf is what encoding/json reads, where that and a scan must agree: errcode in its only spelling, and nothing deep.
func errcodeOf(data []byte) (code string, simple bool) {
	var raw map[string]json.RawMessage
	if strings.Count(strings.ToLower(string(data)), "errcode") != 1 || strings.ContainsAny(string(data), `[\`) || bytes.Count(data, []byte("{")) != 1 ||
		json.Unmarshal(data, &raw) != nil {
		return "", false
	}
	return string(raw[errcodeName]), true
}

// checkPeek checks that a look at a reply, which comes in two parts, loses nothing of it and sees what a scan does.
func checkPeek(t *testing.T, data []byte, cut int) {
	t.Helper()
	body := io.MultiReader(bytes.NewReader(data[:cut]), bytes.NewReader(data[cut:]))
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: -1, Body: io.NopCloser(body)}
	peek := peekRefusal(resp, http.MethodGet)
	var s scan
	if want := s.feed(data[:min(len(data), maxRefusal)]) == refusal; want != (peek != nil) {
		t.Errorf("%.100q, cut at %d: is it a refusal? a scan says %v", data, cut, want)
	}
	if peek != nil {
		peek.readOn()
	}
	if read, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(read, data) {
		t.Errorf("%.100q, cut at %d, is read as %.100q, %v", data, cut, read, err)
	}
}

// Where replies redirect to.
func FuzzLocation(f *testing.F) {
	for _, query := range []string{"", "a=1", "access_token=84_token&a=%", "access%5ftoken=%zz&b", "&&=&access_token", "access_token=x&access_token=84_token#f"} {
		f.Add(query, "84_token")
	}
	f.Fuzz(func(t *testing.T, query, token string) {
		checkLocation(t, "/next?"+query, token)
		checkLocation(t, query, token)
	})
}

// checkLocation checks that a redirect, as http.Client understands it, has the token no longer, and is what it was else.
func checkLocation(t *testing.T, location, token string) {
	t.Helper()
	header := http.Header{"Location": {location}}
	hideLocation(header, token)
	before, err := url.Parse(location)
	after, errAfter := url.Parse(header.Get("Location"))
	if err != nil || token == "" {
		return
	}
	if errAfter != nil {
		t.Fatalf("%q becomes %q", location, header.Get("Location"))
	}
	if values, _ := url.ParseQuery(after.RawQuery); slices.Contains(values[tokenquery.Param], token) {
		t.Errorf("%q becomes %q, with the token %q", location, header.Get("Location"), token)
	}
	if tokenquery.Remove(before.RawQuery) != tokenquery.Remove(after.RawQuery) || before.Path != after.Path || before.Host != after.Host {
		t.Errorf("%q becomes %q", location, header.Get("Location"))
	}
}
