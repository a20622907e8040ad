package subscriber

import (
	"net/url"
	"strings"
	"testing"
)

func TestAPIHosts(t *testing.T) {
	o, err := readOptions(appid, []Option{WithAPIHosts("127.0.0.1:9401", "Sim.Example."), WithAPIHosts("[::1]:9401", "[fd00::2]", "api2.weixin.qq.com:8443")})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"https://api.weixin.qq.com":               true,
		"https://API.Weixin.QQ.com/x":             true,
		"https://api.weixin.qq.com./x":            true,
		"https://api.weixin.qq.com:443/x":         true,
		"https://user:pw@api.weixin.qq.com/x":     true,
		"https://api2.weixin.qq.com/x":            true,
		"https://sh.api.weixin.qq.com/x":          true,
		"https://sz.api.weixin.qq.com/x":          true,
		"https://hk.api.weixin.qq.com/x":          true,
		"https://qyapi.weixin.qq.com/x":           true,
		"http://api.weixin.qq.com/x":              false,
		"http://api.weixin.qq.com:443/x":          false,
		"https://api.weixin.qq.com:8443/x":        false,
		"https://api.weixin.qq.com@example.com/x": false,
		"https://api.weixin.qq.com.example.com/x": false,
		"https://example.com/api.weixin.qq.com":   false,
		"https://xapi.weixin.qq.com/x":            false,
		"https://mp.weixin.qq.com/x":              false,
		"https://weixin.qq.com/x":                 false,
		"https://api.weixin.qq.com../x":           false,
		"http://127.0.0.1:9401/x":                 true,
		"https://127.0.0.1:9401/x":                true,
		"http://127.0.0.1/x":                      false,
		"http://127.0.0.1:9402/x":                 false,
		"http://sim.example/x":                    true,
		"https://SIM.example:443/x":               true,
		"http://sim.example:8080/x":               false,
		"http://[::1]:9401/x":                     true,
		"http://[::1]/x":                          false,
		"https://[fd00::2]/x":                     true,
		"https://api2.weixin.qq.com:8443/x":       true,
		"http://sz.api.weixin.qq.com:8443/x":      false,
		"//api.weixin.qq.com/x":                   false,
		"/x":                                      false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.isAPI(u); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

func TestWrongAPIHosts(t *testing.T) {
	for _, entry := range []string{"", "http://127.0.0.1:9401", "https://api.weixin.qq.com", "host/path", "user@host", "host:", "host:0",
		"host:99999", "host:080", "host:http", "::1", "[::1", "*.weixin.qq.com", "a b", "a,b", ".", "host?x", "host#x", "[host]", ":80"} {
		_, err := readOptions(appid, []Option{WithAPIHosts("good", entry)})
		if err == nil || !strings.Contains(err.Error(), "API host") {
			t.Errorf("%q: %v", entry, err)
		}
	}
	if _, err := readOptions(appid, []Option{WithAPIHosts()}); err != nil {
		t.Error(err)
	}
}

func TestOtherwiseAuthorised(t *testing.T) {
	for path, want := range map[string]bool{
		"/cgi-bin/token": true, "/cgi-bin/stable_token": true, "/cgi-bin/gettoken": true, "//cgi-bin//token/": true,
		"/wechat/cgi-bin/token": true, "/cgi-bin/clear_quota/v2": true, "/sns/userinfo": true, "/sns/oauth2/access_token": true,
		"/cgi-bin/component/api_query_auth": true, "/cgi-bin/service/get_suite_token": true,
		"": false, "/": false, "/cgi-bin/user/info": false, "/cgi-bin/clear_quota": false, "/cgi-bin/tokens": false,
		"/cgi-bin/ticket/getticket": false, "/wxa/getwxacode": false, "/cgi-bin/token/x": false, "/snsx/y": false,
	} {
		if otherwiseAuthorised(path) != want {
			t.Errorf("%q: %v", path, !want)
		}
	}
}
