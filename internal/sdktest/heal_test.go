package sdktest

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/wxtoken/wxtoken/subscriber/subscribertest"
	"github.com/wxtoken/wxtoken/subscriber/wechatsdk"
)

// TestEachCallHeals shows for each SDK, call and errcode that a call whose token is refused is repeated with a new one, and
// that the refusal is reported once.
func TestEachCallHeals(t *testing.T) {
	for _, kind := range []sdk{officialAccount, miniProgram, chanxuehong, weCom} {
		for call := range 2 {
			for _, errcode := range []int{40001, 40014, 42001} {
				t.Run(fmt.Sprintf("%s/%d/%d", kind.name, call, errcode), func(t *testing.T) {
					d := subscribertest.New(t, "wx0123456789abcdef")
					tokens := wechatsdk.New(d.Source())
					client := &http.Client{Transport: wechatsdk.Transport(d.RoundTripper(nil), tokens)}
					shareClient(t, client)
					d.Refuse(errcode)
					if err := kind.calls(tokens, client)[call](); err != nil {
						t.Errorf("the call failed: %v", err)
					}
					if n := len(d.Reports()); n != 1 {
						t.Errorf("%d reports, want 1", n)
					}
				})
			}
		}
	}
}

// TestChanxuehongHealsByItself shows what its own refreshing does, without Transport.
func TestChanxuehongHealsByItself(t *testing.T) {
	for errcode, heals := range map[int]bool{40001: true, 42001: true, 40014: false} {
		for call := range 2 {
			d := subscribertest.New(t, "wx0123456789abcdef")
			calls := chanxuehong.calls(wechatsdk.New(d.Source()), &http.Client{Transport: d.RoundTripper(nil)})
			d.Refuse(errcode)
			if err := calls[call](); (err == nil) != heals {
				t.Errorf("call %d, errcode %d: %v; heals by itself: %v", call, errcode, err, heals)
			}
		}
	}
}
