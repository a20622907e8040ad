package subscriber

import (
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
