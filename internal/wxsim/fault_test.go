package wxsim

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestReplacedAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		fault  Fault
		status int
		kind   string // Content-Type
		body   string // what it begins with
	}{
		"busy":         {Fault{Kind: Busy}, 200, typeJSON, `{"errcode":-1,"errmsg":"system error rid: `},
		"errcode":      {Fault{Kind: ErrCode, Code: 45011}, 200, typeJSON, `{"errcode":45011,"errmsg":"api minute-quota reach limit, must slower, retry next minute rid: `},
		"unknown code": {Fault{Kind: ErrCode, Code: 12345}, 200, typeJSON, `{"errcode":12345,"errmsg":"error rid: `},
		"own text":     {Fault{Kind: ErrCode, Code: 1, ErrMsg: "hm"}, 200, typeJSON, `{"errcode":1,"errmsg":"hm rid: `},
		"bad gateway":  {Fault{Kind: BadGateway}, 502, typeHTML, "<html>"},
		"portal":       {Fault{Kind: Portal}, 200, typeHTML, "<!DOCTYPE html>"},
		"garbage":      {Fault{Kind: Garbage}, 200, typeJSON, `{"access_token":"84_`},
		"empty":        {Fault{Kind: Empty}, 200, typeJSON, ""},
	} {
		for _, after := range []bool{false, true} {
			w := newWorld(t)
			c.fault.After, c.fault.Count = after, 1
			w.fault(c.fault)
			got := w.token()
			if got.Err != nil || got.Status != c.status || got.Header.Get("Content-Type") != c.kind || !strings.HasPrefix(got.Body, c.body) || (c.body == "") != (got.Body == "") {
				t.Errorf("%s: %+v", name, got)
			}
			if c.kind == typeJSON && json.Valid([]byte(got.Body)) != (got.ErrCode != 0) {
				t.Errorf("%s: body %s", name, got.Body)
			}
			if mints := w.stats(appid).Mints.Token; (mints == 1) != after {
				t.Errorf("%s after=%t: %d mints", name, after, mints)
			}
			w.minted(w.token())
			if st := w.stats(appid); st.Faults[c.fault.Kind] != 1 {
				t.Errorf("%s: stats %+v", name, st)
			}
		}
	}
}

func TestHangAndDrop(t *testing.T) {
	for _, kind := range []Kind{Hang, Drop} {
		for _, after := range []bool{false, true} {
			bubble(t, func(t *testing.T, w *world) {
				w.fault(Fault{Kind: kind, After: after, Count: 1})
				begun := time.Now()
				got := w.force()
				if !errors.Is(got.Err, io.ErrUnexpectedEOF) {
					t.Errorf("%s: %+v", kind, got)
				}
				if took := time.Since(begun); took != map[Kind]time.Duration{Hang: time.Minute, Drop: 0}[kind] {
					t.Errorf("%s took %v", kind, took)
				}
				if st := w.stats(appid); (st.Mints.Force == 1) != after || (st.Accepted == 1) != after || st.Faults[kind] != 1 {
					t.Errorf("%s after=%t: %+v", kind, after, st)
				}
			})
		}
	}
}

func TestCloseEndsHangs(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fault(Fault{Kind: Hang, Count: 1})
		w.fault(Fault{Kind: Delay, Delay: time.Hour, Count: 1})
		answers := make(chan said, 2)
		for range 2 {
			go func() { answers <- w.token() }()
		}
		synctest.Wait()
		w.Close()
		for range 2 {
			if got := <-answers; !errors.Is(got.Err, io.ErrUnexpectedEOF) {
				t.Errorf("%+v", got)
			}
		}
		w.fault(Fault{Kind: Hang, Count: 1})
		if got := w.token(); !errors.Is(got.Err, io.ErrUnexpectedEOF) {
			t.Errorf("a hang after Close: %+v", got)
		}
		w.minted(w.token())
	})
}

func TestDelayTakesEffectFirst(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fault(Fault{Kind: Delay, Delay: 5 * time.Second, Group: GroupMint})
		w.client.Timeout = 4 * time.Second
		if got := w.stable(); got.Err == nil {
			t.Error("no timeout")
		}
		w.client.Timeout = 0
		begun := time.Now()
		if got := w.minted(w.stable()); got.Expires != 7196 || time.Since(begun) != 5*time.Second {
			t.Errorf("after %v: %s", time.Since(begun), got.Body)
		}
	})
}

func TestSlowBody(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fault(Fault{Kind: SlowBody, Delay: time.Second, Count: 1})
		begun := time.Now()
		got := w.minted(w.token())
		if took := time.Since(begun); took != time.Duration(len(got.Body))*time.Second {
			t.Errorf("%d bytes took %v", len(got.Body), took)
		}
		w.fault(Fault{Kind: SlowBody})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://x"+tokenPath(appid, pass), nil)
		resp, err := w.client.Do(req)
		fail(t, err)
		data, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !errors.Is(err, context.DeadlineExceeded) || len(data) < 45 || len(data) > 50 {
			t.Errorf("%d bytes and %v", len(data), err)
		}
	})
}

func TestFlap(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Seed = 7 })
	w.fault(Fault{Kind: Flap, Probability: 0.5})
	token := w.stable().Token
	refused := 0
	for range 1000 {
		switch got := w.check(token); got.ErrCode {
		case 40001:
			refused++
		case 0:
		default:
			t.Fatal(got.Body)
		}
	}
	if refused < 400 || refused > 600 {
		t.Errorf("%d of 1000 refused", refused)
	}
	code(t, "bad token", w.check("bad"), 40001)
	if got := w.stats(All).Faults[Flap]; got != int64(refused) {
		t.Errorf("fired %d times, want %d: a bad token is no flap", got, refused)
	}
	w.ClearFaults(All)
	w.fault(Fault{Kind: Flap, Code: 42001, Group: GroupBusiness})
	code(t, "check", w.check(token), 0)
	code(t, "business", do(w.client, "GET", "/cgi-bin/user/info?access_token="+token, ""), 42001)
}

func TestShortExpiresIsTrue(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id := w.fault(Fault{Kind: ShortExpires, ExpiresIn: 10 * time.Second})
		a := w.stable()
		if a.Expires != 10 {
			t.Errorf("expires_in %d, want 10", a.Expires)
		}
		time.Sleep(4 * time.Second)
		if b := w.stable(); b.Token != a.Token || b.Expires != 6 {
			t.Error("a short token is not given twice")
		}
		if fired := w.stats(appid).Faults[ShortExpires]; fired != 1 {
			t.Errorf("fired %d times, want 1: the second call minted nothing", fired)
		}
		time.Sleep(6 * time.Second)
		w.wants("at its end", a.Token, 42001)
		w.RemoveFault(id)
		if got := w.stable(); got.Expires != 7200 {
			t.Errorf("expires_in %d, want 7200", got.Expires)
		}
	})
}

func TestLies(t *testing.T) {
	for _, claim := range []int64{0, -1, 1 << 40} {
		w := newWorld(t)
		w.fault(Fault{Kind: LieExpires, Claim: claim})
		got := w.token()
		if got.Expires != claim || !strings.Contains(got.Body, `"expires_in":`) {
			t.Errorf("claim %d: %s", claim, got.Body)
		}
		w.wants("lied about", got.Token, 0)
	}
	w := newWorld(t)
	w.fault(Fault{Kind: NoToken})
	if got := w.stable(); got.Body != `{"expires_in":7200}` {
		t.Errorf("no token: %s", got.Body)
	}
}

func TestWhichCallsAFaultStrikes(t *testing.T) {
	const hit = 45011
	for name, c := range map[string]struct {
		fault                              Fault
		mint, check, business, other, lost int
	}{
		"all":           {Fault{}, hit, hit, hit, hit, hit},
		"account":       {Fault{AppID: appid}, hit, hit, hit, 0, 40013},
		"other account": {Fault{AppID: appid2}, 0, 0, 0, hit, 40013},
		"mint":          {Fault{Group: GroupMint}, hit, 0, 0, hit, hit},
		"check":         {Fault{Group: GroupCheck}, 0, hit, 0, 0, 40013},
		"business":      {Fault{Group: GroupBusiness, AppID: All}, 0, 0, hit, 0, 40013},
		"path":          {Fault{Path: "/cgi-bin/user/"}, 0, 0, hit, 0, 40013},
		"both":          {Fault{Path: "/cgi-bin/user/", Group: GroupMint}, 0, 0, 0, 0, 40013},
	} {
		w := newWorld(t)
		token := w.stable().Token
		c.fault.Kind, c.fault.Code = ErrCode, hit
		w.fault(c.fault)
		code(t, name+": mint", w.token(), c.mint)
		code(t, name+": check", w.check(token), c.check)
		code(t, name+": business", do(w.client, "GET", "/cgi-bin/user/info?access_token="+token, ""), c.business)
		code(t, name+": other account", do(w.client, "GET", tokenPath(appid2, pass), ""), c.other)
		code(t, name+": no account", do(w.client, "GET", tokenPath("wxnobody", pass), ""), c.lost)
	}
}

func TestHowLongAFaultStands(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.fault(Fault{Kind: Busy, Count: 2})
		w.fault(Fault{Kind: ErrCode, Code: 45011, For: time.Second})
		code(t, "first", w.token(), -1)
		code(t, "second", w.token(), -1)
		code(t, "third", w.token(), 45011)
		if list := w.Faults(); len(list) != 1 || list[0].Fired != 1 || list[0].ID != 2 {
			t.Errorf("faults %+v", list)
		}
		time.Sleep(time.Second)
		code(t, "after the second", w.token(), 0)
		if list := w.Faults(); len(list) != 0 || w.faults.some.Load() {
			t.Errorf("faults %+v", list)
		}
		a, b := w.fault(Fault{Kind: Busy, AppID: appid}), w.fault(Fault{Kind: Busy, AppID: appid2})
		if !w.RemoveFault(a) || w.RemoveFault(a) || w.ClearFaults(appid) != 0 || w.ClearFaults(appid2) != 1 || w.RemoveFault(b) {
			t.Error("faults are not removed as they should")
		}
		code(t, "none left", w.token(), 0)
	})
}

func TestBadFaults(t *testing.T) {
	w := newWorld(t)
	for want, f := range map[string]Fault{
		"kind":             {Kind: "x"},
		"group":            {Kind: Busy, Group: "x"},
		"path":             {Kind: Busy, Path: "cgi-bin"},
		"count":            {Kind: Busy, Count: -1},
		"probability":      {Kind: Busy, Probability: 1.5},
		"field for":        {Kind: Busy, For: -1},
		"delay: want":      {Kind: SlowBody, Delay: -1},
		"delay: kind":      {Kind: Delay},
		"code":             {Kind: ErrCode},
		"expires_in":       {Kind: ShortExpires},
		"after":            {Kind: Flap, After: true},
		"strikes mint":     {Kind: NoToken, Group: GroupCheck},
		"check and":        {Kind: Flap, Group: GroupMint},
		"appid: there is ": {Kind: Busy, AppID: "wxnobody"},
	} {
		if _, err := w.AddFault(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want it to mention %q", f, err, want)
		}
	}
	if len(w.Faults()) != 0 {
		t.Error("a bad fault stands")
	}
}

// Calls, faults and actions at random, all at once: nothing may race, lock up or break the rules of the channels.
func TestEverythingAtOnce(t *testing.T) {
	w := newWorld(t, withKnobs(Knobs{TokenPerDay: -1, ForcePerDay: -1}))
	calls := []func(){
		func() { w.token() }, func() { w.stable() }, func() { w.force() },
		func() { w.check(w.stable().Token) },
		func() { w.ticket(w.token().Token, "jsapi") },
		func() { do(w.client, "GET", tokenPath(appid, "junk"), "") },
		func() { w.clear(w.stable().Token, appid) },
		func() { w.ForeignMint(appid, ChannelToken, false) },
		func() { w.Revoke(All, ChannelStable, rand.N(2) == 0) },
		func() { w.SetWhitelist(appid, nil, true) },
		func() { w.SetExpiresIn(appid, time.Hour) },
		func() { w.SetKnobs(All, Knobs{TokenPerDay: -1, ForcePerDay: -1}) },
		func() { w.SetSecret(appid, pass) },
		func() { w.SetState(All, Active) },
		func() { w.AddFault(Fault{Kind: replacing[rand.N(2)], Code: 1, Count: 1, After: rand.N(2) == 0}) },
		func() { w.AddFault(Fault{Kind: ShortExpires, ExpiresIn: time.Minute, Count: 1}) },
		func() { w.AddFault(Fault{Kind: Flap, Count: 1}) },
		func() { w.ClearFaults(All) }, func() { w.Faults() }, func() { w.Ledger(appid) }, func() { w.Stats(All) },
		func() { w.Token(appid, ChannelStable) },
		func() { do(w.client, "GET", "/_sim/knobs?appid="+appid, "") },
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 300 {
				calls[rand.N(len(calls))]()
			}
		})
	}
	wg.Wait()
	mints := w.Ledger(appid)
	if got := w.stats(appid).Mints.Total(); int(got) != len(mints) {
		t.Errorf("%d mints counted, %d in the ledger", got, len(mints))
	}
	newest := map[Channel]Mint{}
	for _, m := range mints {
		before := newest[m.Channel]
		if m.At.Before(before.At) || (m.PreviousID != "" && m.PreviousID != before.ID) {
			t.Errorf("%+v came after %+v", m, before)
		}
		newest[m.Channel] = m
	}
}
