package subscriber

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkTransport measures a call with and without Transport: over sockets, and with nothing below that costs anything.
func BenchmarkTransport(b *testing.B) {
	client, url, _ := serve(b, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`) })
	healing := client.Transport.(*transport)
	token := strings.Repeat("84_token", 20)
	with := holding(token, WithAPIHosts(strings.TrimPrefix(url, "http://")))
	address := url + "/cgi-bin/user/info?openid=o1"
	nothing := baseFunc(func(req *http.Request) (*http.Response, error) { return replying(`{"errcode":0,"errmsg":"ok"}`), nil })

	b.Run("sockets/bare", func(b *testing.B) { benchCalls(b, healing.base, address+"&access_token="+token) })
	b.Run("sockets/Transport", func(b *testing.B) { benchCalls(b, with.Transport(healing.base), address) })
	b.Run("nothing/bare", func(b *testing.B) { benchCalls(b, nothing, address+"&access_token="+token) })
	b.Run("nothing/Transport", func(b *testing.B) { benchCalls(b, with.Transport(nothing), address) })
	b.Run("nothing/other host", func(b *testing.B) { benchCalls(b, with.Transport(nothing), "https://example.com/x") })
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
