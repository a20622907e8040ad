package main

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/wire"
)

const demoKey = "wx0123456789abcdef.access_token"

func TestDemoShowsTokensFlow(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	httpAddr := freeAddr(t)
	p := start(t, "demo", "WX_EMBEDDED_ADDR="+addr, "WX_SIM_ADDR="+freeAddr(t), "WX_HTTP_ADDR="+httpAddr, "WX_LOG_LEVEL=error")
	p.awaitLine("http://" + httpAddr + "  (a page for your browser)")
	p.awaitLine("minted token")
	if status, page := get(t, httpAddr, "/", nil); status != http.StatusOK || !strings.Contains(page, "wx0123456789abcdef") {
		t.Errorf("status page: %d %s", status, page)
	}
	p.awaitLine("calls answered, 0 refused")
	nc, err := nats.Connect("nats://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), wire.DefaultBucket)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := kv.Get(t.Context(), demoKey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := wire.DecodeValue(entry.Value())
	if err != nil {
		t.Fatal(err)
	}
	if code := p.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(p.out.String(), v.Token.Reveal()) {
		t.Error("the demo prints a token")
	}
}

func TestDemoHealsWhatWeChatBreaks(t *testing.T) {
	t.Parallel()
	p := start(t, "demo", "WX_EMBEDDED_ADDR="+freeAddr(t), "WX_SIM_ADDR="+freeAddr(t), "WX_LOG_LEVEL=error")
	p.awaitLine("ends the token long before its time")
	p.awaitLine("the same call is answered with token")
}

func TestTakenAddressIsSaidWithItsVariable(t *testing.T) {
	for _, variable := range []string{"WX_EMBEDDED_ADDR", "WX_SIM_ADDR"} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			addrs := map[string]string{"WX_EMBEDDED_ADDR": freeAddr(t), "WX_SIM_ADDR": freeAddr(t)}
			addrs[variable] = l.Addr().String()
			p := start(t, "demo", "WX_EMBEDDED_ADDR="+addrs["WX_EMBEDDED_ADDR"], "WX_SIM_ADDR="+addrs["WX_SIM_ADDR"])
			if code := p.wait(); code != exitFailure {
				t.Errorf("exit code %d", code)
			}
			if out := p.out.String(); !strings.Contains(out, addrs[variable]) || !strings.Contains(out, variable) {
				t.Errorf("says %q", out)
			}
		})
	}
}
