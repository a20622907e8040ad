package publisher_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/publisher"
)

var twoAccounts = wxsim.Options{Accounts: []wxsim.Account{{AppID: appid, Secret: appSecret}, {AppID: otherAppID, Secret: appSecret}}}

// running is a publisher whose accounts can be set.
type running struct {
	*publisher.Publisher
	w *world
}

// startSettable is start that returns the publisher.
func (w *world) startSettable(cfg publisher.Config) running {
	w.t.Helper()
	nc, err := bus.Connect(w.login, "publisher", cfg.Logger, w.nats.Reach()...)
	w.must(err)
	cfg.Conn = nc
	p, err := publisher.New(cfg)
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
		nc.Close()
	})
	return running{p, w}
}

func (r running) set(accounts ...publisher.Account) {
	r.w.t.Helper()
	r.w.must(r.SetAccounts(accounts))
}

// valueOf reads the token of any account.
func (w *world) valueOf(appid string) (v wire.Value, found bool) {
	msg, err := w.nc.Request("$JS.API.DIRECT.GET."+names.Stream()+"."+names.KeySubject(wire.Key(appid, wire.KindAccessToken)), nil, time.Second)
	if err != nil || msg.Header.Get("Status") != "" {
		return wire.Value{}, false
	}
	v, err = wire.DecodeValue(msg.Data)
	return v, err == nil
}

// awaitTokenOf waits for a token that WeChat accepts.
func (w *world) awaitTokenOf(appid string, patience time.Duration) wire.Value {
	w.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if v, found := w.valueOf(appid); found && w.sim.CheckToken(v.Token.Reveal()) == 0 {
			return v
		}
	}
	w.t.Fatalf("%s has no good token within %v\n%s", appid, patience, w.out.Tail())
	return wire.Value{}
}

func (w *world) mintsOf(appid string) int64 {
	w.t.Helper()
	s, err := w.sim.Stats(appid)
	w.must(err)
	return s.Mints.Total()
}

func TestAccountsComeAndGoWhileItRuns(t *testing.T) {
	inBubble(t, twoAccounts, func(t *testing.T, w *world) {
		one := w.account(appid, appSecret, wechat.PlainToken, w.sim.Transport())
		other := w.account(otherAppID, appSecret, wechat.PlainToken, w.sim.Transport())
		cfg := w.config(wechat.PlainToken)
		cfg.Accounts = []publisher.Account{one}
		p := w.startSettable(cfg)
		first := w.value(anyValue)
		if _, f := w.ask(names.AccountRefreshSubject(otherAppID), ""); f == nil || f.code != "404" {
			t.Errorf("an account that nobody holds: %+v", f)
		}

		p.set(one, other)
		w.awaitTokenOf(otherAppID, 2*time.Second)
		time.Sleep(time.Minute)
		if reply, f := w.ask(names.AccountRefreshSubject(otherAppID), ""); f != nil || reply.Outcome != wire.Replaced {
			t.Errorf("a request for an account that came later: %+v, %+v", reply, f)
		}
		if w.mints() != 1 {
			t.Errorf("the account that stayed has %d mints", w.mints())
		}

		p.set(other)
		for range 2 {
			if _, f := w.ask(names.RefreshSubject(), report(first)); f == nil || f.code != "503" || !strings.Contains(f.text, "try again") {
				t.Errorf("an account that isn't held any more: %+v", f)
			}
			time.Sleep(2 * time.Hour)
		}
		if w.mints() != 1 || w.mintsOf(otherAppID) < 3 {
			t.Errorf("%d mints of the removed account, %d of the other", w.mints(), w.mintsOf(otherAppID))
		}

		p.set(one, other)
		w.awaitTokenOf(appid, 2*time.Second)
		time.Sleep(2 * time.Hour)
		if w.mints() != 3 {
			t.Errorf("%d mints of the account that came back", w.mints())
		}
	})
}

// I1 holds for an account that is removed and named again while its mint is under way.
func TestI1RemovedAndNamedAgainInTheMidstOfAMint(t *testing.T) {
	inBubble(t, twoAccounts, func(t *testing.T, w *world) {
		w.fault(wxsim.Fault{AppID: appid, Group: wxsim.GroupMint, Kind: wxsim.Delay, Delay: 4 * time.Second})
		one := w.account(appid, appSecret, wechat.PlainToken, w.sim.Transport())
		other := w.account(otherAppID, appSecret, wechat.PlainToken, w.sim.Transport())
		cfg := w.config(wechat.PlainToken)
		cfg.Accounts = []publisher.Account{one, other}
		p := w.startSettable(cfg)
		time.Sleep(time.Second)
		replies := make(chan *fault, 2)
		ask := func() {
			_, f := w.ask(names.AccountRefreshSubject(appid), "")
			replies <- f
		}
		go ask() // waits for the pass that is under way
		time.Sleep(time.Second)
		p.set(other)
		for range 50 {
			p.set(one, other)
			p.set(other)
		}
		go ask() // nobody holds it: no key, no token
		if f := <-replies; f == nil || f.code != "404" {
			t.Errorf("an ask after the removal: %+v", f)
		}
		p.set(one, other)
		w.awaitTokenOf(appid, 5*time.Second)
		if f := <-replies; f == nil || f.code != "503" {
			t.Errorf("an ask that waited: %+v", f)
		}
		time.Sleep(time.Minute)
		if w.mints() != 1 {
			t.Errorf("%d mints", w.mints())
		}
	})
}

// An operator who mended the secret waited for up to ten minutes to see it work.
func TestAMendedSecretIsTriedAtOnce(t *testing.T) {
	onBothEndpoints(t, twoAccounts, func(t *testing.T, w *world, endpoint wechat.Endpoint) {
		cfg := w.config(endpoint)
		cfg.Accounts[0] = w.account(appid, "wrong", endpoint, w.sim.Transport())
		p := w.startSettable(cfg)
		time.Sleep(time.Hour) // now it tries every ten minutes
		if w.events(wire.EventMintFailed) == 0 {
			t.Fatal("a wrong secret does")
		}
		p.set(w.account(appid, "wrong as well", endpoint, w.sim.Transport()))
		failed := w.events(wire.EventMintFailed)
		time.Sleep(10 * time.Second)
		if got := w.events(wire.EventMintFailed); got != failed+1 {
			t.Errorf("another wrong secret was tried %d times", got-failed)
		}
		p.set(w.account(appid, appSecret, endpoint, w.sim.Transport()))
		w.awaitTokenOf(appid, time.Second)
	})
}

// The refusal of the old secret came after the new one was there, and counted for it.
func TestASecretMendedInTheMidstOfAMintIsTriedAtOnce(t *testing.T) {
	inBubble(t, twoAccounts, func(t *testing.T, w *world) {
		w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Delay, Delay: 4 * time.Second, Count: 1})
		cfg := w.config(wechat.StableToken)
		cfg.Accounts[0] = w.account(appid, "wrong", wechat.StableToken, w.sim.Transport())
		p := w.startSettable(cfg)
		time.Sleep(2 * time.Second)
		p.set(w.account(appid, appSecret, wechat.StableToken, w.sim.Transport()))
		w.awaitTokenOf(appid, 3*time.Second)
		if w.events(wire.EventMintFailed) != 1 {
			t.Errorf("%d mints failed", w.events(wire.EventMintFailed))
		}
	})
}

func TestAnotherEndpointKeepsTheToken(t *testing.T) {
	inBubble(t, twoAccounts, func(t *testing.T, w *world) {
		p := w.startSettable(w.config(wechat.StableToken))
		first := w.value(anyValue)
		p.set(w.account(appid, appSecret, wechat.PlainToken, w.sim.Transport()))
		time.Sleep(110 * time.Minute)
		if v, _ := w.stored(); v.ID != first.ID {
			t.Errorf("the token was replaced: %+v", v)
		}
		if v := w.value(not(first.ID)); v.Endpoint != string(wechat.PlainToken) || v.Reason != wire.ReasonScheduled {
			t.Errorf("the next token: %+v", v)
		}
	})
}

func TestAccountsSetWhileNATSIsAway(t *testing.T) {
	inBubble(t, twoAccounts, func(t *testing.T, w *world) {
		cfg := w.config(wechat.StableToken)
		p := w.startSettable(cfg)
		w.value(anyValue)
		w.nats.Stop()
		time.Sleep(time.Minute)
		p.set(cfg.Accounts[0], w.account(otherAppID, appSecret, wechat.StableToken, w.sim.Transport()))
		time.Sleep(10 * time.Minute)
		w.nats.Resume()
		w.awaitTokenOf(otherAppID, 5*time.Second)
		if w.mints() != 1 {
			t.Errorf("the account that stayed has %d mints", w.mints())
		}
		if got := w.out.Count("\n"); got > 60 {
			t.Errorf("%d lines\n%s", got, w.out.Tail())
		}
	})
}

// I3: an account that another publisher has a good token for costs nothing when it comes.
func TestI3AnAccountWithAGoodTokenCostsNothingWhenItComes(t *testing.T) {
	inBubble(t, twoAccounts, func(t *testing.T, w *world) {
		w.start(w.named("host-b/1", wechat.PlainToken))
		w.value(anyValue)
		cfg := w.named("host-a/1", wechat.PlainToken)
		one := cfg.Accounts[0]
		other := w.account(otherAppID, appSecret, wechat.PlainToken, w.sim.Transport())
		cfg.Accounts = []publisher.Account{other}
		p := w.startSettable(cfg)
		w.awaitTokenOf(otherAppID, 2*time.Second)
		for range 20 {
			p.set(one, other)
			time.Sleep(time.Second)
			p.set(other)
			time.Sleep(time.Second)
		}
		if w.mints() != 1 || w.mintsOf(otherAppID) != 1 {
			t.Errorf("%d and %d mints", w.mints(), w.mintsOf(otherAppID))
		}
	})
}

func TestABadSetOfAccountsChangesNothing(t *testing.T) {
	inBubble(t, twoAccounts, func(t *testing.T, w *world) {
		cfg := w.config(wechat.StableToken)
		p := w.startSettable(cfg)
		first := w.value(anyValue)
		for _, accounts := range [][]publisher.Account{
			nil,
			{cfg.Accounts[0], cfg.Accounts[0]},
			{{AppID: otherAppID, Endpoint: wechat.StableToken}},
			{{AppID: otherAppID, Endpoint: wechat.StableToken, Minter: uncomparable{}}},
		} {
			if err := p.SetAccounts(accounts); err == nil {
				t.Errorf("%+v does", accounts)
			}
		}
		time.Sleep(time.Minute)
		if reply, f := w.ask(names.RefreshSubject(), report(first)); f != nil || reply.Outcome != wire.StillValid {
			t.Errorf("%+v, %+v", reply, f)
		}
	})
}

type uncomparable struct {
	publisher.Minter
	_ []string
}

// Accounts are set before Run, while it starts and while it runs, by several at once. The last ones count.
func TestAccountsAreSetAtAnyTime(t *testing.T) {
	inBubble(t, twoAccounts, func(t *testing.T, w *world) {
		one := w.account(appid, appSecret, wechat.PlainToken, w.sim.Transport())
		other := w.account(otherAppID, appSecret, wechat.PlainToken, w.sim.Transport())
		cfg := w.config(wechat.PlainToken)
		cfg.Accounts = []publisher.Account{one}
		p := w.startSettable(cfg)
		var setters sync.WaitGroup
		for i := range 8 {
			setters.Go(func() {
				for n := range 100 {
					if (i+n)%2 == 0 {
						p.set(one)
					} else {
						p.set(one, other)
					}
					time.Sleep(time.Duration(i) * time.Millisecond)
				}
			})
		}
		setters.Wait()
		p.set(other)
		w.awaitTokenOf(otherAppID, 5*time.Second)
		time.Sleep(3 * time.Hour)
		if w.mints() != 1 || w.mintsOf(otherAppID) > 3 {
			t.Errorf("%d and %d mints", w.mints(), w.mintsOf(otherAppID))
		}
	})
}

func TestThousandsOfAccountsAndAChangeOfAFew(t *testing.T) {
	const few = 10
	thousands := 2000
	if testing.Short() { // the race detector makes each of them dear
		thousands = 300
	}
	named := func(i int) string { return fmt.Sprintf("wx%016x", i) }
	options := wxsim.Options{Accounts: []wxsim.Account{{AppID: appid, Secret: appSecret}}}
	for i := range thousands + few {
		options.Accounts = append(options.Accounts, wxsim.Account{AppID: named(i), Secret: appSecret})
	}
	inBubble(t, options, func(t *testing.T, w *world) {
		var accounts []publisher.Account
		for i := range thousands {
			accounts = append(accounts, w.account(named(i), appSecret, wechat.PlainToken, w.sim.Transport()))
		}
		cfg := w.config(wechat.PlainToken)
		cfg.Accounts = accounts
		p := w.startSettable(cfg)
		began := time.Now()
		for i := range thousands {
			w.awaitTokenOf(named(i), time.Minute)
		}
		t.Logf("%d accounts have a token after %v", thousands, time.Since(began))
		time.Sleep(time.Minute)

		reads, mints := w.counted("$JS.API.STREAM.MSG.GET."+names.Stream()), w.mintsOf(wxsim.All)
		changed := append([]publisher.Account{}, accounts[few:]...) // the first few go
		for i := range few {                                        // a few change, and a few come
			changed[i] = w.account(named(few+i), appSecret, wechat.PlainToken, w.sim.Transport())
			changed = append(changed, w.account(named(thousands+i), appSecret, wechat.PlainToken, w.sim.Transport()))
		}
		p.set(changed...)
		for i := range few {
			w.awaitTokenOf(named(thousands+i), 2*time.Second)
		}
		time.Sleep(time.Minute)
		if got := w.mintsOf(wxsim.All) - mints; got != few {
			t.Errorf("%d mints for %d new accounts", got, few)
		}
		if got := reads.Load(); got == 0 || got > 10*few {
			t.Errorf("%d reads of keys for %d new accounts", got, few)
		}

		time.Sleep(2 * time.Hour)
		for i := range thousands + few {
			want := int64(2)
			if i < few {
				want = 1
			}
			if got := w.mintsOf(named(i)); got != want {
				t.Errorf("%s has %d mints, want %d", named(i), got, want)
			}
		}
	})
}

// counted counts messages on the subject.
func (w *world) counted(subject string) *atomic.Int64 {
	w.t.Helper()
	var n atomic.Int64
	_, err := w.nc.Subscribe(subject, func(*nats.Msg) { n.Add(1) })
	w.must(err)
	w.must(w.nc.Flush())
	return &n
}
