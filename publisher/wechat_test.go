package publisher_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/publisher"
)

const otherAppID = "wxfedcba9876543210"

// trouble is something that WeChat does, how it is told, and how soon after its end there is a token again.
type trouble struct {
	name     string
	endpoint wechat.Endpoint
	begin    func(w *world)
	end      func(w *world)
	errcode  int
	tells    string
	recovers time.Duration
}

func troubles() []trouble {
	const human = 11 * time.Minute // at the latest, by itself; at once by hand
	const slow = 13 * time.Minute  // 10 minutes and more
	faults := func(name string, errcode int, recovers time.Duration, f wxsim.Fault) trouble {
		f.AppID, f.Group = appid, wxsim.GroupMint
		return trouble{name, wechat.StableToken, func(w *world) { w.fault(f) }, func(w *world) { w.sim.ClearFaults(appid) }, errcode, "", recovers}
	}
	must := func(w *world, err error) {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	setSecret := func(text string) func(w *world) {
		return func(w *world) { must(w, w.sim.SetSecret(appid, text)) }
	}
	setState := func(s wxsim.State) func(w *world) { return func(w *world) { must(w, w.sim.SetState(appid, s)) } }
	setIPs := func(ips ...string) func(w *world) {
		return func(w *world) { must(w, w.sim.SetWhitelist(appid, ips, true)) }
	}
	return []trouble{
		{"wrong secret", wechat.StableToken, setSecret("another"), setSecret(appSecret), 40125, "configure the AppSecret", human},
		{"wrong secret, old endpoint", wechat.PlainToken, func(w *world) {
			must(w, w.sim.SetKnobs(appid, wxsim.Knobs{WrongSecretCode: 40001}))
			must(w, w.sim.SetSecret(appid, "another"))
		}, setSecret(appSecret), 40001, "configure the AppSecret", human},
		{"IP not whitelisted", wechat.StableToken, setIPs("203.0.113.9"), setIPs(), 40164, "add 127.0.0.1 to the IP whitelist", human},
		{"secret frozen", wechat.StableToken, setState(wxsim.SecretFrozen), setState(wxsim.Active), 40243, "unfreeze the AppSecret", human},
		faults("quota of the day", 45009, slow, wxsim.Fault{Kind: wxsim.ErrCode, Code: 45009}),
		faults("quota of the minute", 45011, 62*time.Second, wxsim.Fault{Kind: wxsim.ErrCode, Code: 45011}),
		faults("busy", -1, 16*time.Second, wxsim.Fault{Kind: wxsim.Busy}),
		faults("down", 0, 16*time.Second, wxsim.Fault{Kind: wxsim.Drop}),
		faults("hanging", 0, 26*time.Second, wxsim.Fault{Kind: wxsim.Hang}),
		faults("bad gateway", 0, 16*time.Second, wxsim.Fault{Kind: wxsim.BadGateway}),
		faults("captive portal", 0, 16*time.Second, wxsim.Fault{Kind: wxsim.Portal}),
		faults("garbage", 0, 16*time.Second, wxsim.Fault{Kind: wxsim.Garbage}),
		faults("empty reply", 0, 16*time.Second, wxsim.Fault{Kind: wxsim.Empty}),
		faults("expires_in 0", 0, 16*time.Second, wxsim.Fault{Kind: wxsim.LieExpires, Claim: 0}),
		faults("expires_in -1", 0, 16*time.Second, wxsim.Fault{Kind: wxsim.LieExpires, Claim: -1}),
		faults("no access_token", 0, 16*time.Second, wxsim.Fault{Kind: wxsim.NoToken}),
	}
}

func TestI8WhileWeChatFailsTheLastTokenStaysAndRecoveryNeedsNoHand(t *testing.T) {
	for _, tr := range troubles() {
		t.Run(tr.name, func(t *testing.T) {
			accounts := []wxsim.Account{{AppID: appid, Secret: appSecret}, {AppID: otherAppID, Secret: appSecret}}
			inBubble(t, wxsim.Options{Accounts: accounts, ExpiresIn: 20 * time.Minute}, func(t *testing.T, w *world) {
				cfg := w.config(tr.endpoint)
				cfg.Accounts = append(cfg.Accounts, w.account(otherAppID, appSecret, tr.endpoint, w.sim.Transport()))
				w.start(cfg)
				v := w.value(anyValue)
				tr.begin(w)
				time.Sleep(time.Until(v.ExpiresAt) - time.Second)
				if now, _ := w.stored(); now.ID != v.ID || w.sim.CheckToken(v.Token.Reveal()) != 0 {
					t.Error("the last good token is gone before its end")
				}
				time.Sleep(15 * time.Minute)
				w.tellsTrouble(tr)
				tr.end(w)
				now := w.valueWithin(tr.recovers, not(v.ID))
				if w.sim.CheckToken(now.Token.Reveal()) != 0 || now.Generation <= v.Generation {
					t.Errorf("recovered to %+v", now)
				}
				other, err := w.sim.Stats(otherAppID)
				if err != nil || other.Mints.Total() < 2 || len(other.Refused) > 0 {
					t.Errorf("the other account: %+v, %v", other, err)
				}
			})
		})
	}
}

// tellsTrouble checks what is told while it lasts, 20 minutes and more after it began to matter.
func (w *world) tellsTrouble(tr trouble) {
	w.t.Helper()
	if got := w.warned("mint failed"); got < 2 || got > 4 {
		w.t.Errorf("logged %d times", got)
	}
	if w.events(wire.EventMintFailed) < 2 {
		w.t.Errorf("%d events", w.events(wire.EventMintFailed))
	}
	if got := w.out.Count(`"level":"WARN"`) + w.out.Count(`"level":"ERROR"`); got > 4 {
		w.t.Errorf("%d warnings in all\n%s", got, w.out.Tail())
	}
	reply, fault := w.ask(names.RefreshSubject(), fmt.Sprintf(`{"appid":%q}`, appid))
	if fault == nil || fault.code != "502" || fault.ErrCode != tr.errcode || fault.ErrMsg == "" || !strings.Contains(fault.text, tr.tells) {
		w.t.Errorf("a request by hand is answered %+v, %+v", reply, fault)
	}
}

// While there is no token, or it is due, reports and requests need no check. Each of them led to a call of WeChat, however
// many, and so to an AppSecret that is blocked or a quota that is spent.
func TestAsksDontHurryAMintThatFailed(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.ErrCode, Code: 40125})
		w.start(w.config(wechat.StableToken))
		time.Sleep(time.Second)
		for range 200 {
			if _, fault := w.ask(names.RefreshSubject(), `{"id":"0123456789abcdef"}`); fault == nil || fault.code != "502" || fault.ErrCode != 40125 {
				t.Fatalf("%+v", fault)
			}
		}
		if got := w.stats().Refused[40125]; got != 1 {
			t.Errorf("WeChat was asked %d times", got)
		}
		codes := w.askAtOnce(1, names.RefreshSubject(), "")
		for range 20 {
			for code := range w.askAtOnce(1, names.RefreshSubject(), "") {
				codes[code]++
			}
		}
		if got := w.stats().Refused[40125]; got != 11 || codes["502"] != 10 || codes["429"] != 11 {
			t.Errorf("WeChat was asked %d times, answers %v", got, codes)
		}
	})
}

func TestAnOutageWithReportsIsLoggedOnce(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.StableToken))
		v := w.value(anyValue)
		w.fault(wxsim.Fault{Kind: wxsim.Drop})
		for began := time.Now(); time.Since(began) < 10*time.Minute; {
			if _, fault := w.ask(names.RefreshSubject(), report(v)); fault == nil || fault.code != "502" || fault.ErrMsg == "" {
				t.Fatalf("%+v", fault)
			}
		}
		if got := w.out.Count(`"level":"WARN"`); got != 1 {
			t.Errorf("%d warnings\n%s", got, w.out.Tail())
		}
		w.sim.ClearFaults(wxsim.All)
		if reply, _ := w.ask(names.RefreshSubject(), report(v)); reply.Outcome != wire.StillValid {
			t.Errorf("afterwards: %+v", reply)
		}
	})
}

func TestADeadTokenThatCantBeReplacedIsNotCheckedForEachReport(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.PlainToken))
		v := w.value(anyValue)
		w.revoke(wechat.PlainToken, false)
		w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.ErrCode, Code: 45009, For: time.Minute})
		for range 200 {
			if _, fault := w.ask(names.RefreshSubject(), report(v)); fault == nil || fault.ErrCode != 45009 {
				t.Fatalf("%+v", fault)
			}
		}
		if s := w.stats(); s.Checks != 2 || s.Refused[45009] != 1 || w.events(wire.EventForeignMinter) != 1 {
			t.Errorf("%+v, %d events", s, w.events(wire.EventForeignMinter))
		}
	})
}

func TestAnUnknownAppIDIsToldAndHarmsNoOther(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		cfg := w.config(wechat.StableToken)
		cfg.Accounts = append(cfg.Accounts, w.account(otherAppID, appSecret, wechat.StableToken, w.sim.Transport()))
		w.start(cfg)
		w.value(anyValue)
		_, fault := w.ask(names.AccountRefreshSubject(otherAppID), "")
		if fault == nil || fault.code != "502" || fault.ErrCode != 40013 || !strings.Contains(fault.text, "check the AppID") {
			t.Errorf("%+v", fault)
		}
		if w.out.Count(names.EventSubject(otherAppID, wire.EventMintFailed)) == 0 {
			t.Error("no event")
		}
	})
}

// broken is a Minter with a bug.
type broken struct{ publisher.Minter }

func (broken) Mint(context.Context, bool) (wechat.Minted, error) {
	panic("secret=" + appSecret)
}

func (broken) Check(context.Context, secret.String) error { panic(appSecret) }

func TestI7APanicInAMinterShowsNothingAndHarmsNoOther(t *testing.T) {
	accounts := []wxsim.Account{{AppID: appid, Secret: appSecret}, {AppID: otherAppID, Secret: appSecret}}
	inBubble(t, wxsim.Options{Accounts: accounts}, func(t *testing.T, w *world) {
		cfg := w.config(wechat.StableToken)
		cfg.Accounts = append(cfg.Accounts, publisher.Account{AppID: otherAppID, Endpoint: wechat.PlainToken, Minter: broken{}})
		w.start(cfg)
		w.value(anyValue)
		if _, fault := w.ask(names.AccountRefreshSubject(otherAppID), ""); fault == nil || fault.code != "502" {
			t.Errorf("%+v", fault)
		}
		if w.logged("minter panicked") == 0 {
			t.Error("not logged")
		}
	})
}

func TestI9ALostAnswerIsAskedForAgainAndTheNewestTokenStored(t *testing.T) {
	for _, kind := range []wxsim.Kind{wxsim.Hang, wxsim.BadGateway} {
		t.Run(string(kind), func(t *testing.T) {
			onBothEndpoints(t, wxsim.Options{}, func(t *testing.T, w *world, endpoint wechat.Endpoint) {
				w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: kind, After: true, Count: 1})
				w.start(w.config(endpoint))
				first := w.valueWithin(6*time.Second, anyValue)
				w.isNewest(first)
				time.Sleep(110 * time.Minute)
				w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: kind, After: true, Count: 1})
				w.lag = 6 * time.Second
				defer w.watchForGaps(10 * time.Second)()
				time.Sleep(6 * time.Minute)
				now, _ := w.stored()
				w.isNewest(now)
				if endpoint == wechat.StableToken && w.mints() != 2 || endpoint == wechat.PlainToken && w.mints() != 4 {
					t.Errorf("%d mints", w.mints())
				}
			})
		})
	}
}

func (w *world) isNewest(v wire.Value) {
	w.t.Helper()
	mints := w.sim.Ledger(appid)
	if v.ID != mints[len(mints)-1].ID {
		w.t.Errorf("the key holds %s, the newest of %d tokens is %s", v.ID, len(mints), mints[len(mints)-1].ID)
	}
}

// A mint that was asked for in the middle of a token's life was lost, and its repetition too. Nothing was due, so nobody
// asked again, and five minutes later the stored token was dead.
func TestI9AMintThatWasLostTwiceIsPursued(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.PlainToken))
		v := w.value(anyValue)
		time.Sleep(time.Hour)
		w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Drop, After: true, Count: 2})
		if _, fault := w.ask(names.RefreshSubject(), ""); fault == nil || fault.code != "502" {
			t.Errorf("%+v", fault)
		}
		w.isNewest(w.valueWithin(5*time.Second, not(v.ID)))
		time.Sleep(30 * time.Minute)
		if w.mints() != 4 {
			t.Errorf("%d mints", w.mints())
		}
	})
}

// lossy loses the answer of each forced mint.
type lossy struct {
	publisher.Minter
	modes *[]bool
}

func (m lossy) Mint(ctx context.Context, force bool) (wechat.Minted, error) {
	*m.modes = append(*m.modes, force)
	minted, err := m.Minter.Mint(ctx, force)
	if force {
		return wechat.Minted{}, &wechat.Error{Op: wechat.OpMint, Err: context.DeadlineExceeded}
	}
	return minted, err
}

func TestI9AForcedMintThatWasLostIsRepeatedInNormalMode(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		var modes []bool
		cfg := w.config(wechat.StableToken)
		cfg.Accounts[0].Minter = lossy{cfg.Accounts[0].Minter, &modes}
		w.start(cfg)
		v := w.value(anyValue)
		time.Sleep(time.Minute)
		reply, fault := w.ask(names.RefreshSubject(), "")
		if fault != nil || reply.Outcome != wire.Replaced || reply.ID == v.ID {
			t.Errorf("%+v, %+v", reply, fault)
		}
		now, _ := w.stored()
		w.isNewest(now)
		if got := fmt.Sprint(modes); got != "[false false true false]" {
			t.Errorf("modes of the mints: %s", got)
		}
	})
}
