package subscriber

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// Whatever the reply and however it comes, the caller reads the same bytes and the same end.
func TestPeekLosesNothing(t *testing.T) {
	binary := make([]byte, 100_000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(binary)
	bodies := map[string]bool{
		"": false, "{": false, `{"errcode":40001,"errmsg":"x"}`: true, `{"errcode":0}`: false, string(binary): false,
		`{"errmsg":"` + strings.Repeat("x", 600) + `","errcode":42001}`:                          true,
		`{"errmsg":"` + strings.Repeat("x", maxRefusal) + `","errcode":42001}`:                   false,
		strings.Repeat(" ", maxRefusal) + `{"errcode":40001}`:                                    false,
		`{"errcode":40001,"errmsg":"` + strings.Repeat("x", 100_000) + `"}`:                      true,
		`{"total":1,"data":{"openid":["` + strings.Repeat("o1", 50_000) + `"]},"errcode":40001}`: false,
		`{"image":"` + strings.Repeat("A", 100_000) + `","errcode":40001}`:                       false,
	}
	broken := errors.New("broken")
	ways := map[string]func(io.Reader) io.Reader{
		"whole":         func(r io.Reader) io.Reader { return r },
		"byte by byte":  iotest.OneByteReader,
		"halves":        iotest.HalfReader,
		"end with data": iotest.DataErrReader,
		"broken":        func(r io.Reader) io.Reader { return io.MultiReader(r, iotest.ErrReader(broken)) },
	}
	for body, refused := range bodies {
		for way, through := range ways {
			resp := &http.Response{Body: io.NopCloser(through(strings.NewReader(body))), ContentLength: -1}
			p := peekRefusal(resp, http.MethodGet)
			if (p != nil) != refused {
				t.Errorf("%.60q, %s: refused %v", body, way, p != nil)
			}
			if p != nil {
				p.readOn()
			}
			got, err := io.ReadAll(resp.Body)
			if wantErr := map[bool]error{true: broken}[way == "broken"]; !bytes.Equal(got, []byte(body)) || err != wantErr {
				t.Errorf("%.60q, %s: %d bytes of %d, %v", body, way, len(got), len(body), err)
			}
		}
	}
}

func TestPeekLeavesAlone(t *testing.T) {
	refusal := `{"errcode":40001}`
	for name, adapt := range map[string]func(*http.Response) string{
		"HEAD":       func(r *http.Response) string { return http.MethodHead },
		"long":       func(r *http.Response) string { r.ContentLength = maxRefusal + 1; return "" },
		"no length":  func(r *http.Response) string { r.ContentLength = 0; return "" },
		"compressed": func(r *http.Response) string { r.Header.Set("Content-Encoding", "gzip"); return "" },
		"NoBody":     func(r *http.Response) string { r.Body = http.NoBody; return "" },
		"nil":        func(r *http.Response) string { r.Body = nil; return "" },
		"upgraded": func(r *http.Response) string {
			r.StatusCode, r.Body = http.StatusSwitchingProtocols, struct {
				io.ReadCloser
				io.Writer
			}{r.Body, io.Discard}
			return ""
		},
	} {
		resp := replying(refusal)
		method := adapt(resp)
		body := resp.Body
		if p := peekRefusal(resp, method); p != nil || resp.Body != body {
			t.Errorf("%s: the body was looked at", name)
		}
	}
}

func TestPeekedBodyCloses(t *testing.T) {
	closed := 0
	resp := replying(`{"errcode":0}`)
	resp.Body = &watched{resp.Body, func() { closed++ }}
	peekRefusal(resp, http.MethodGet)
	if n, err := resp.Body.Read(nil); n != 0 || err != nil {
		t.Errorf("Read(nil) = %d, %v", n, err)
	}
	resp.Body.Close()
	if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || err != http.ErrBodyReadAfterClose || closed != 1 {
		t.Errorf("after Close: %d, %v, closed %d times", n, err, closed)
	}
}
