package wxsim

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wire"
)

func TestSuccessIsExactlyTwoFields(t *testing.T) {
	w := newWorld(t)
	for name, got := range map[string]said{"token": w.token(), "stable_token": w.stable()} {
		w.minted(got)
		if want := fmt.Sprintf(`{"access_token":%q,"expires_in":7200}`, got.Token); got.Body != want {
			t.Errorf("%s answers %s, want %s", name, got.Body, want)
		}
		if ct := got.Header.Get("Content-Type"); ct != "application/json; encoding=utf-8" {
			t.Errorf("%s: Content-Type %q", name, ct)
		}
		if !regexp.MustCompile(`^[1-9][0-9]+_[A-Za-z0-9_-]+$`).MatchString(got.Token) || len(got.Token) != 136 {
			t.Errorf("%s: token %q doesn't look like one", name, got.Token)
		}
		w.wants(name, got.Token, 0)
	}
}

func TestTokenMintsEveryTime(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.minted(w.token())
		b := w.minted(w.token())
		if a.Token == b.Token {
			t.Fatal("two calls of /cgi-bin/token gave the same token")
		}
		w.wants("previous, at once", a.Token, 0)
		time.Sleep(300*time.Second - 1)
		w.wants("previous, just before the end of its grace", a.Token, 0)
		time.Sleep(time.Nanosecond)
		w.wants("previous, after its grace", a.Token, 40001)
		w.wants("current", b.Token, 0)
	})
}

func TestTokenBeforeLast(t *testing.T) {
	for lenient, want := range map[bool]int{false: 40001, true: 0} {
		bubble(t, func(t *testing.T, w *world) {
			a, b, c := w.token(), w.token(), w.token()
			w.wants("before last", a.Token, want)
			w.wants("previous", b.Token, 0)
			w.wants("current", c.Token, 0)
			time.Sleep(300 * time.Second)
			w.wants("before last, past its own grace", a.Token, 40001)
		}, withKnobs(Knobs{Lenient: lenient}))
	}
}

func TestAgedOutIsNotReplaced(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.token()
		time.Sleep(7200*time.Second - 1)
		w.wants("at its last nanosecond", a.Token, 0)
		time.Sleep(time.Nanosecond)
		w.wants("aged out", a.Token, 42001)
		b := w.token()
		w.wants("aged out before it was replaced", a.Token, 42001)

		time.Sleep(7200*time.Second - 100*time.Second)
		w.token()
		time.Sleep(100 * time.Second)
		w.wants("aged out within its grace", b.Token, 42001)
		w.wants("unknown", "84_never", 40001)
		w.wants("missing", "", 41001)
	})
}

func TestReplacedCodeKnob(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, _ := w.token(), w.token()
		time.Sleep(300 * time.Second)
		w.wants("replaced", a.Token, 42001)
	}, withKnobs(Knobs{ReplacedCode: 42001}))
}

func TestChannelsAndAccountsAreIsolated(t *testing.T) {
	w := newWorld(t)
	stable, other := w.stable(), do(w.client, "GET", tokenPath(appid2, pass), "")
	for range 5 {
		w.minted(w.token())
	}
	w.wants("stable", stable.Token, 0)
	w.wants("other account", other.Token, 0)
	token := w.token()
	w.minted(w.force())
	w.wants("token", token.Token, 0)
}

func TestRefusalsOfMints(t *testing.T) {
	w := newWorld(t)
	get := func(q string) said { return do(w.client, "GET", "/cgi-bin/token"+q, "") }
	post := func(b string) said { return do(w.client, "POST", "/cgi-bin/stable_token", b) }
	for name, c := range map[string]struct {
		got  said
		code int
		text string
	}{
		"token without anything":     {get(""), 41002, "appid missing"},
		"token, bad appid, no grant": {get("?appid=wxnobody&secret=junk"), 40013, "invalid appid"},
		"token without secret":       {get("?appid=" + appid), 41004, "appsecret missing"},
		"token without grant_type":   {get("?appid=" + appid + "&secret=junk"), 40002, "invalid grant_type"},
		"token, wrong secret":        {get("?grant_type=client_credential&appid=" + appid + "&secret=junk"), 40125, "invalid appsecret"},
		"token by POST":              {do(w.client, "POST", tokenPath(appid, pass), ""), 43001, "require GET method"},
		"stable by GET":              {do(w.client, "GET", pathStable, ""), 43002, "require POST method"},
		"stable, not JSON":           {post("appid=1"), 47001, "data format error"},
		"stable, force as text":      {post(`{"force_refresh":"true"}`), 47001, "data format error"},
		"stable without anything":    {post("{}"), 41002, "appid missing"},
		"stable, bad appid":          {post(`{"appid":"wxnobody"}`), 40013, "invalid appid"},
		"stable without secret":      {post(`{"appid":"` + appid + `"}`), 41004, "appsecret missing"},
		"stable, wrong grant_type":   {post(`{"grant_type":"x","appid":"` + appid + `","secret":"junk"}`), 40002, "invalid grant_type"},
		"stable, wrong secret":       {post(stableBody(appid, "junk", false)), 40125, "invalid appsecret"},
		"stable, secret in the URL":  {do(w.client, "POST", pathStable+"?appid="+appid+"&secret="+pass, "{}"), 41002, "appid missing"},
	} {
		code(t, name, c.got, c.code)
		want := regexp.MustCompile(`^` + regexp.QuoteMeta(c.text) + ` rid: ([0-9a-f]{8})-[0-9a-f]{8}-[0-9a-f]{8}$`)
		match := want.FindStringSubmatch(c.got.ErrMsg)
		if match == nil {
			t.Errorf("%s: errmsg %q doesn't match %s", name, c.got.ErrMsg, want)
			continue
		}
		if at, _ := strconv.ParseInt(match[1], 16, 64); time.Since(time.Unix(at, 0)).Abs() > time.Minute {
			t.Errorf("%s: the rid's time is %v", name, time.Unix(at, 0))
		}
	}
	if got := w.stats(All); got.Mints.Total() != 0 || got.Refused[40013] != 2 || got.Refused[40125] != 2 {
		t.Errorf("stats %+v", got)
	}
}

func TestWrongSecretKnobIsForTokenOnly(t *testing.T) {
	w := newWorld(t, withKnobs(Knobs{WrongSecretCode: 40001}))
	got := do(w.client, "GET", tokenPath(appid, "junk"), "")
	code(t, "token", got, 40001)
	if !strings.HasPrefix(got.ErrMsg, "invalid appsecret, view more at http://t.cn/RAEkdVq rid: ") {
		t.Errorf("errmsg %q", got.ErrMsg)
	}
	code(t, "stable_token", do(w.client, "POST", pathStable, stableBody(appid, "junk", false)), 40125)
}

func TestStates(t *testing.T) {
	for state, want := range map[State]struct{ mint, business int }{
		SecretFrozen:   {40243, 0},
		AccountFrozen:  {50007, 50002},
		TokenForbidden: {50004, 0},
		Active:         {0, 0},
	} {
		w := newWorld(t)
		a := w.token()
		w.must(w.SetState(appid, state))
		code(t, string(state), w.token(), want.mint)
		code(t, string(state), w.stable(), want.mint)
		code(t, string(state)+" business", w.check(a.Token), want.business)
		w.must(w.SetState(All, Active))
		code(t, "unfrozen", w.token(), 0)
	}
}

func TestFreezeLag(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.must(w.SetState(appid, SecretFrozen))
		time.Sleep(10*time.Minute - 1)
		code(t, "before", w.token(), 0)
		time.Sleep(time.Nanosecond)
		code(t, "after", w.token(), 40243)
	}, withKnobs(Knobs{FreezeLag: 10 * time.Minute}))
}

func TestSecretReset(t *testing.T) {
	for kills, want := range map[bool]int{false: 0, true: 40001} {
		w := newWorld(t, withKnobs(Knobs{SecretResetKills: kills}))
		a, b := w.token(), w.stable()
		w.must(w.SetSecret(appid, "new"))
		code(t, "old secret", w.token(), 40125)
		w.wants("token", a.Token, want)
		w.wants("stable", b.Token, want)
		c := w.minted(do(w.client, "POST", pathStable, stableBody(appid, "new", false)))
		if (c.Token == b.Token) == kills {
			t.Errorf("kills=%t: same token %t", kills, c.Token == b.Token)
		}
	}
	w := newWorld(t)
	if w.SetSecret(appid, "") == nil || w.SetSecret(All, "x") == nil || w.SetSecret("wxnobody", "x") == nil {
		t.Error("SetSecret took nonsense")
	}
}

func TestRevoke(t *testing.T) {
	w := newWorld(t)
	w.must(w.Revoke(appid, ChannelStable, false)) // there is nothing yet
	a := w.stable()
	w.must(w.Revoke(appid, ChannelStable, true))
	w.wants("revoked", a.Token, 40001)
	if b := w.stable(); b.Token != a.Token {
		t.Error("sticky: normal mode gave another token")
	}
	b := w.minted(w.force())
	w.wants("forced", b.Token, 0)
	w.must(w.Revoke(appid, ChannelStable, false))
	w.wants("revoked", b.Token, 40001)
	c := w.minted(w.stable())
	w.wants("minted after", c.Token, 0)
	w.wants("revoked, still", a.Token, 40001)
	if w.Revoke(appid, "x", false) == nil || w.Revoke("wxnobody", ChannelToken, false) == nil {
		t.Error("Revoke took nonsense")
	}
}

func TestForeignMint(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.token(), w.stable()
		id, err := w.ForeignMint(appid, ChannelToken, false)
		w.must(err)
		if id == wire.TokenID(a.Token) {
			t.Error("a stranger's mint gave our token")
		}
		if id, err = w.ForeignMint(appid, ChannelStable, false); err != nil || id != wire.TokenID(b.Token) {
			t.Errorf("a stranger on stable_token got %s %v, want our token", id, err)
		}
		id, err = w.ForeignMint(appid, ChannelStable, true)
		w.must(err)
		if got := w.stable(); wire.TokenID(got.Token) != id {
			t.Error("the stranger's forced token isn't the current one")
		}
		time.Sleep(300 * time.Second)
		w.wants("our token after the stranger's", a.Token, 40001)
		if got := w.stats(appid).Mints; got.Foreign != 2 || got.Total() != 4 {
			t.Errorf("mints %+v", got)
		}
	}, withKnobs(Knobs{TokenPerDay: 2}))
	w := newWorld(t, withKnobs(Knobs{TokenPerDay: 1}))
	w.token()
	if _, err := w.ForeignMint(appid, ChannelToken, false); err == nil || !strings.Contains(err.Error(), "45009") {
		t.Errorf("stranger over quota: %v", err)
	}
	for _, try := range []func() (string, error){
		func() (string, error) { return w.ForeignMint(appid, "x", false) },
		func() (string, error) { return w.ForeignMint(appid, ChannelToken, true) },
		func() (string, error) { return w.ForeignMint("wxnobody", ChannelToken, false) },
	} {
		if _, err := try(); err == nil {
			t.Error("ForeignMint took nonsense")
		}
	}
}

func TestLedger(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.LedgerLimit = 3 })
	a := w.token()
	_, err := w.ForeignMint(appid2, ChannelStable, false)
	w.must(err)
	b := w.token()
	got := w.Ledger(appid)
	if len(got) != 2 || got[0].ID != wire.TokenID(a.Token) || got[1].PreviousID != got[0].ID || got[1].ID != wire.TokenID(b.Token) {
		t.Fatalf("ledger %+v", got)
	}
	if m := w.Ledger(appid2)[0]; m.By != ByStranger || m.Mode != ModeNormal || m.Channel != ChannelStable || m.Seq != 2 {
		t.Errorf("foreign mint %+v", m)
	}
	for range 4 {
		w.token()
	}
	all := w.Ledger(All)
	if len(all) != 3 || all[0].Seq != 5 || all[2].Seq != 7 {
		t.Errorf("full ledger %+v", all)
	}
	if rest := w.LedgerAfter(All, 6); len(rest) != 1 || rest[0].Seq != 7 || w.LedgerAfter(All, 7) != nil {
		t.Errorf("after 6: %+v", rest)
	}
}

func TestDeadTokensAreForgottenInTheEnd(t *testing.T) {
	w := newWorld(t)
	for range 3 * keptTokens {
		w.minted(w.token())
	}
	n := 0
	w.tokens.Range(func(any, any) bool { n++; return true })
	if n != keptTokens {
		t.Errorf("%d tokens are remembered, want %d", n, keptTokens)
	}
}

func TestSeedRepeats(t *testing.T) {
	seeded := func(n uint64) func(*Options) { return func(o *Options) { o.Seed = n } }
	a, b, c := newWorld(t, seeded(1)), newWorld(t, seeded(1)), newWorld(t, seeded(2))
	b.ForeignMint(appid2, ChannelToken, false) // another account's tokens have no influence
	if x, y, z := a.token().Token, b.token().Token, c.token().Token; x != y || x == z {
		t.Error("tokens don't follow the seed")
	}
	if do(a.client, "GET", tokenPath(appid2, pass), "").Token == a.token().Token {
		t.Error("two accounts have the same token")
	}
}

func TestManyAccountsAtOnce(t *testing.T) {
	w := newWorld(t)
	const n = 2000
	for i := range n {
		w.must(w.AddAccount(Account{AppID: fmt.Sprintf("wx%016d", i), Secret: pass}))
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := g % 4; i < n; i += 4 { // each account is hit by two
				id := fmt.Sprintf("wx%016d", i)
				if got := do(w.client, "POST", pathStable, stableBody(id, pass, false)); w.CheckToken(got.Token) != 0 {
					t.Errorf("%s: %s", id, got.Body)
				}
			}
		})
	}
	wg.Wait()
	if got := w.stats(All); got.Mints.Normal != n || got.SameToken != n || len(w.Ledger(All)) != n || len(w.AppIDs()) != n+2 {
		t.Errorf("stats %+v", got)
	}
}

func TestNewNamesEveryMistake(t *testing.T) {
	_, err := New(Options{
		ExpiresIn: -1,
		Knobs:     Knobs{ReplacedCode: 1, ResetHour: 24},
		Accounts:  []Account{{AppID: "a b", Secret: "x"}, {AppID: "wx1"}, {AppID: "wx2", Secret: "x", Whitelist: []string{"?"}}, {AppID: "wx3", Secret: "x"}, {AppID: "wx3", Secret: "x"}},
	})
	for _, want := range []string{"expires_in", "replaced_code", "reset_hour", `"a b"`, "wx1", "ips", "exists already"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v doesn't mention %s", err, want)
		}
	}
}
