package subscriber

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestScan(t *testing.T) {
	pad := strings.Repeat("p", 200)
	for body, want := range map[string]verdict{
		`{"errcode":40001,"errmsg":"invalid credential"}`: refusal,
		`{"errcode":40014}`:                                        refusal,
		"\xEF\xBB\xBF \r\n\t{ \"errcode\" : 42001 }":               refusal,
		`{"errmsg":"a \"quoted\\\" one, errcode","errcode":40001}`: refusal,
		`{"a":1,"b":true,"c":null,"d":-1.5e3,"errcode":42001,`:     refusal,
		`{"errmsg":"` + pad + `","errcode":40001}`:                 refusal,
		`{"errcode":0,"errmsg":"ok"}`:                              other,
		`{"errcode":-1,"errmsg":"system error"}`:                   other,
		`{"errcode":400010}`:                                       other,
		`{"errcode":99999999999999999999999999}`:                   other,
		`{"errcode":4000`:                                          undecided,
		`{"errcode":40001`:                                         undecided, // more digits may follow
		`{"errcode":"40001"}`:                                      other,
		`{"errcode":40001.5}`:                                      other,
		`{"errcode":,}`:                                            other,
		`{"errmsg":"errcode\":40001,"}`:                            other,
		`{"errcodes":40001}`:                                       other,
		`{"errcod":40001}`:                                         other,
		`{"Errcode":40001}`:                                        other,
		`{"\u0065rrcode":40001}`:                                   other,
		`{"a":{"errcode":40001}}`:                                  other,
		`{"list":[1],"errcode":40001}`:                             other,
		`{"list":[`:                                                other,
		`[{"errcode":40001}]`:                                      other,
		`{}`:                                                       other,
		`"errcode":40001`:                                          other,
		`<html>`:                                                   other,
		"\x89PNG":                                                  other,
		"\x00":                                                     other,
		"\xEF\xBB\x00":                                             other,
		"":                                                         undecided,
		"   ":                                                      undecided,
		`{"errmsg":"without end`:                                   undecided,
		`{"a" "b"}`:                                                other,
		`{"a":"b""errcode":40001}`:                                 other,
		`{a:1}`:                                                    other,
	} {
		var whole, split scan
		if got := whole.feed([]byte(body)); got != want {
			t.Errorf("%q: %d, want %d", body, got, want)
		}
		got := undecided
		for i := 0; i < len(body) && got == undecided; i++ {
			got = split.feed([]byte{body[i]})
		}
		if got != want {
			t.Errorf("%q, byte by byte: %d, want %d", body, got, want)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, body := range []string{`{"errcode":40001,"errmsg":"x"}`, `{"a":"\"","errcode":42001}`, "\xEF\xBB\xBF{", `{"errcode":0}`, "[", `{"a":1.5,"errcode":40014 }`} {
		f.Add([]byte(body), 3)
	}
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
		var reply struct {
			ErrCode json.Number `json:"errcode"`
		}
		var raw map[string]json.RawMessage // errcode in its only spelling, and no other in between
		if json.Unmarshal(data, &raw) != nil || strings.Count(strings.ToLower(string(data)), "errcode") != 1 || strings.ContainsAny(string(data), `[\`) ||
			strings.Count(string(data), "{") != 1 || json.Unmarshal(data, &reply) != nil {
			return
		}
		code := string(raw[errcodeName])
		if want := code == "40001" || code == "40014" || code == "42001"; want != (verdict == refusal) {
			t.Errorf("%q: %d", data, verdict)
		}
	})
}
