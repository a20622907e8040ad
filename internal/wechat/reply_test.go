package wechat

import (
	"testing"
	"time"
)

func TestParseReply(t *testing.T) {
	tests := []struct {
		body string
		want reply
	}{
		{minted, reply{token: "84_new", expiresIn: 2 * time.Hour}},
		{"\n " + minted + "\r\n", reply{token: "84_new", expiresIn: 2 * time.Hour}},
		{`{"errcode":0,"errmsg":"ok","access_token":"a","expires_in":7200}`, reply{hasCode: true, msg: "ok", token: "a", expiresIn: 2 * time.Hour}},
		{`{"access_token":"a","expires_in":7200.0}`, reply{token: "a", expiresIn: 2 * time.Hour}},
		{`{"access_token":"a","expires_in":7.2e3}`, reply{token: "a", expiresIn: 2 * time.Hour}},
		{`{"access_token":"a","expires_in":"7200"}`, reply{token: "a", expiresIn: 2 * time.Hour}},
		{`{"access_token":"a","expires_in":" 7199.9 "}`, reply{token: "a", expiresIn: 7199 * time.Second}},
		{`{"access_token":"a","expires_in":0.5}`, reply{token: "a"}},
		{`{"access_token":"a","expires_in":2592000}`, reply{token: "a", expiresIn: maxExpiresIn}},
		{`{"access_token":"a","expires_in":2592001}`, reply{token: "a"}},
		{`{"access_token":"a","expires_in":1e400}`, reply{token: "a"}},
		{`{"access_token":"a","expires_in":true}`, reply{token: "a"}},
		{`{"access_token":"é","expires_in":1}`, reply{expiresIn: time.Second}},
		{`{"errcode":null,"access_token":"a","expires_in":1}`, reply{token: "a", expiresIn: time.Second}},
		{`{"errcode":"40013","errmsg":"invalid appid"}`, reply{code: 40013, hasCode: true, msg: "invalid appid"}},
		{`{"errcode":-1,"errmsg":{"a":1}}`, reply{code: -1, hasCode: true}},
		{`{"errcode":40001,"errmsg":"http:\/\/t.cn"}`, reply{code: 40001, hasCode: true, msg: "http://t.cn"}},
		{`{"ip_list":[]}`, reply{hasIPs: true}},
	}
	for _, test := range tests {
		if got, err := parseReply([]byte(test.body)); err != nil || got != test.want {
			t.Errorf("%s:\ngot  %+v, %v\nwant %+v", test.body, got, err, test.want)
		}
	}
	for _, body := range []string{`{"errcode":1.5}`, `{"errcode":1e30}`, `{"errcode":{}}`, `{"errcode":""}`, `{"errcode":false}`} {
		if got, err := parseReply([]byte(body)); err == nil {
			t.Errorf("%s: %+v, want an error", body, got)
		}
	}
}
