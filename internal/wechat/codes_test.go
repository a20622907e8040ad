package wechat

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestMintCodes(t *testing.T) {
	classes := map[Class][]int{
		Transient:   {-1},
		MinuteQuota: {45011},
		DayQuota:    {45009},
		Permanent: {40001, 40002, 40013, 40066, 40125, 40164, 40243, 41002, 41004, 43002, 43003, 45035, 48001, 48004, 50002, 50004, 50007,
			61004, 89501, 89503, 89506, 89507, 40014, 42001, 99999, 1},
	}
	for class, codes := range classes {
		for _, code := range codes {
			e := mintError(t, newAccount(t, StableToken, Config{Transport: answers(fmt.Sprintf(`{"errcode":%d,"errmsg":"x"}`, code))}))
			if e.Class != class || e.Code != code || e.Ambiguous() || e.Unwrap() != nil {
				t.Errorf("%d: class %v, want %v: %#v", code, e.Class, class, e)
			}
		}
	}
}

func TestHintsAreSentences(t *testing.T) {
	hints := []string{}
	for code := range codes {
		_, hint := look(OpMint, code, "")
		hints = append(hints, hint)
	}
	for class := Transient; class <= Stale; class++ {
		if class.String() == Class(99).String() {
			t.Errorf("class %d has no name", class)
		}
		hints = append(hints, class.hint())
	}
	for _, hint := range hints {
		if hint == "" || strings.Contains(hint, "{") || strings.HasSuffix(hint, ".") {
			t.Errorf("hint %q", hint)
		}
	}
}

func TestErrorReadsWell(t *testing.T) {
	reply := `{"errcode":40164,"errmsg":"invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 60196b9b-1"}`
	e := mintError(t, newAccount(t, StableToken, Config{Transport: answers(reply)}))
	want := "mint: WeChat says 40164 invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 60196b9b-1: " +
		"add 203.0.113.9 to the IP whitelist (mp.weixin.qq.com → 开发 → IP白名单); edits take up to 10 minutes"
	if e.Error() != want {
		t.Errorf("got  %s\nwant %s", e, want)
	}
	if got := (&Error{Op: OpMint, Code: 7}).Error(); got != "mint: WeChat says 7: it is tried again by itself" {
		t.Errorf("without a message: %s", got)
	}
}

func TestClientIP(t *testing.T) {
	tests := []struct {
		code int
		msg  string
		want string
	}{
		{40164, "invalid ip 203.0.113.9, not in whitelist", "203.0.113.9"},
		{40164, "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 60196b9b-00000000-0dd0dd0d", "203.0.113.9"},
		{40164, "invalid ip ::ffff:203.0.113.9, not in whitelist", "203.0.113.9"},
		{40164, "invalid ip 2001:db8::9, not in whitelist", "2001:db8::9"},
		{61004, "access clientip is not registered hint: [ZJ6NTA0211e578] requestIP: 203.0.113.9", "203.0.113.9"},
		{61004, "access clientip is not registered requestIP:203.0.113.9.", "203.0.113.9"},
		{61004, "access clientip is not registered, hint::", ""},
		{40164, "", ""},
		{40013, "invalid appid 203.0.113.9", ""},
		{99999, "203.0.113.9", ""},
	}
	for _, test := range tests {
		e := &Error{Code: test.code, Msg: test.msg}
		if got := e.ClientIP(); got != test.want {
			t.Errorf("%d %q: %q, want %q", test.code, test.msg, got, test.want)
		}
	}
}

func TestMessagesAreBoundedAndPlain(t *testing.T) {
	quoted, _ := json.Marshal("a\x1b[31m\r\n\u202eb\u2028" + strings.Repeat("错", 400))
	e := mintError(t, newAccount(t, StableToken, Config{Transport: answers(`{"errcode":40013,"errmsg":` + string(quoted) + `}`)}))
	if len(e.Msg) > maxShown+len(shortened) || !strings.HasPrefix(e.Msg, "a[31mb错") || !strings.HasSuffix(e.Msg, "错"+shortened) {
		t.Errorf("%d bytes: %q", len(e.Msg), e.Msg)
	}
}
