package wxsim

import (
	"strings"
	"testing"
	"time"
)

func TestWhitelist(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.must(w.SetWhitelist(appid, []string{"203.0.113.9", "198.51.100.0/24", "2001:db8::/32"}, false))
		outside := w.from("203.0.113.10:5000")
		mint := func(addr string) said { return do(w.from(addr), "GET", tokenPath(appid, pass), "") }
		time.Sleep(10*time.Minute - 1)
		code(t, "before the lag is over", mint("203.0.113.10:5000"), 0)
		time.Sleep(time.Nanosecond)
		for _, addr := range []string{"203.0.113.9:1", "198.51.100.200:1", "[2001:db8::7]:1", "[::ffff:203.0.113.9]:1"} {
			code(t, addr, mint(addr), 0)
		}
		for addr, want := range map[string]string{
			"203.0.113.10:5000": "invalid ip 203.0.113.10 ipv6 ::ffff:203.0.113.10, not in whitelist rid: ",
			"[2001:db9::7]:1":   "invalid ip 2001:db9::7 ipv6 2001:db9::7, not in whitelist rid: ",
		} {
			got := mint(addr)
			if code(t, addr, got, 40164); !strings.HasPrefix(got.ErrMsg, want) {
				t.Errorf("%s: %q, want %q", addr, got.ErrMsg, want)
			}
		}
		code(t, "IP before secret", do(outside, "POST", pathStable, stableBody(appid, "junk", false)), 40164)
		code(t, "other account", do(outside, "GET", tokenPath(appid2, pass), ""), 0)
		code(t, "business from outside", do(outside, "GET", "/cgi-bin/get_api_domain_ip?access_token="+mint("203.0.113.9:1").Token, ""), 0)

		w.must(w.SetWhitelist(appid, nil, true))
		code(t, "switched off", mint("203.0.113.10:5000"), 0)
	})
}

func TestWhitelistOfOptionsAndKnobs(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.must(w.AddAccount(Account{AppID: "wx1", Secret: pass, Whitelist: []string{"203.0.113.9"}}))
		got := do(w.client, "GET", tokenPath("wx1", pass), "")
		code(t, "at once", got, 61004)
		if !strings.HasPrefix(got.ErrMsg, "access clientip is not registered hint: [") || !strings.Contains(got.ErrMsg, "] requestIP: 127.0.0.1 rid: ") {
			t.Errorf("errmsg %q", got.ErrMsg)
		}
		w.must(w.SetWhitelist("wx1", []string{"127.0.0.1"}, false))
		time.Sleep(time.Second - 1)
		code(t, "before the scaled lag is over", do(w.client, "GET", tokenPath("wx1", pass), ""), 61004)
		time.Sleep(time.Nanosecond)
		code(t, "after it", do(w.client, "GET", tokenPath("wx1", pass), ""), 0)
	}, withLife(6*time.Second), withKnobs(Knobs{WhitelistCode: 61004, WhitelistLag: 20 * time.Minute}))
}

func TestConfirmation(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		live := w.token()
		w.must(w.SetConfirmation(appid, ConfirmRequire, ""))
		code(t, "needs confirmation", w.token(), 89503)
		w.wants("live token", live.Token, 0)

		w.must(w.SetConfirmation(appid, ConfirmRefuse, ""))
		code(t, "refused once", w.stable(), 89507)
		time.Sleep(time.Hour - 1)
		code(t, "still refused", w.token(), 89507)
		time.Sleep(time.Nanosecond)
		code(t, "block over", w.token(), 89503)

		w.must(w.SetConfirmation(appid, ConfirmRefuse, "127.0.0.1"))
		time.Sleep(24*time.Hour - 1)
		code(t, "refused twice", w.token(), 89506)
		time.Sleep(time.Nanosecond)
		code(t, "block over", w.token(), 89503)

		w.must(w.SetConfirmation(appid, ConfirmAccept, "127.0.0.1"))
		code(t, "confirmed", w.token(), 0)
		other := func() said { return do(w.from("203.0.113.9:1"), "GET", tokenPath(appid, pass), "") }
		code(t, "another IP", other(), 89503)
		w.must(w.SetConfirmation(appid, ConfirmRequire, "")) // changes nothing
		code(t, "confirmed", w.token(), 0)
		w.must(w.SetConfirmation(appid, ConfirmOff, ""))
		code(t, "off", other(), 0)
	})
}

func TestConfirmationTakesNoNonsense(t *testing.T) {
	w := newWorld(t)
	if w.SetConfirmation(appid, "x", "") == nil || w.SetConfirmation(appid, ConfirmAccept, "x") == nil || w.SetConfirmation("wxnobody", ConfirmOff, "") == nil {
		t.Error("SetConfirmation took nonsense")
	}
	if w.SetWhitelist(appid, []string{"203.0.113.9/33"}, true) == nil || w.SetWhitelist("wxnobody", nil, true) == nil {
		t.Error("SetWhitelist took nonsense")
	}
	if w.SetState(appid, "x") == nil || w.SetState("wxnobody", Active) == nil {
		t.Error("SetState took nonsense")
	}
	code(t, "untouched", w.token(), 0)
}
