package subscriber

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkTransport measures a call with and without Transport: to a server on loopback, with nothing below that costs
// anything, and to a host that gets no token.
func BenchmarkTransport(b *testing.B) {
	client, url, _ := serve(b, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`) })
	healing := client.Transport.(*transport)
	token := strings.Repeat("84_token", 20)
	with := holding(token, WithAPIHosts(strings.TrimPrefix(url, "http://")))
	address := url + "/cgi-bin/user/info?openid=o1"
	nothing := baseFunc(func(req *http.Request) (*http.Response, error) { return replying(`{"errcode":0,"errmsg":"ok"}`), nil })

	const other = "https://example.com/x"
	for _, call := range []struct {
		to, address, complete string
		base                  http.RoundTripper
	}{
		{"server", address, address + "&access_token=" + token, healing.base},
		{"nothing", address, address + "&access_token=" + token, nothing},
		{"other-host", other, other, nothing},
	} {
		b.Run("to="+call.to+"/by=ours", func(b *testing.B) { benchCalls(b, with.Transport(call.base), call.address) })
		b.Run("to="+call.to+"/by=bare", func(b *testing.B) { benchCalls(b, call.base, call.complete) })
	}
}

func benchCalls(b *testing.B, rt http.RoundTripper, address string) {
	req := must(http.NewRequest(http.MethodGet, address, nil))
	buf := make([]byte, 512)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := rt.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = resp.Body.Read(buf)
		}
		resp.Body.Close()
	}
}
