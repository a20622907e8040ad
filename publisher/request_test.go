package publisher_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

func TestRequestsThatMakeNoSenseAreRefused(t *testing.T) {
	accounts := []wxsim.Account{{AppID: appid, Secret: appSecret}, {AppID: otherAppID, Secret: appSecret}}
	inBubble(t, wxsim.Options{Accounts: accounts}, func(t *testing.T, w *world) {
		cfg := w.config(wechat.PlainToken)
		cfg.Accounts = append(cfg.Accounts, w.account(otherAppID, appSecret, wechat.PlainToken, w.sim.Transport()))
		w.start(cfg)
		v := w.value(anyValue)
		token := v.Token.Reveal()
		all, one := names.RefreshSubject(), names.AccountRefreshSubject(appid)
		for _, c := range []struct{ name, subject, payload, code, tells string }{
			{"empty, with two accounts", all, "", "400", "holds 2"},
			{"no account named", all, `{"id":"0123456789abcdef"}`, "400", "holds 2"},
			{"not JSON", all, "refresh, please", "400", "JSON object"},
			{"array", one, "[]", "400", "JSON object"},
			{"number", one, "42", "400", "JSON object"},
			{"null", one, "null", "400", "JSON object"},
			{"cut off", one, `{"appid":`, "400", "not valid JSON"},
			{"wrong type", one, `{"errcode":"42001"}`, "400", "errcode"},
			{"appid is a list", all, `{"appid":["` + appid + `"]}`, "400", "appid"},
			{"appid is a wildcard", all, `{"appid":"*"}`, "400", "appid"},
			{"1 MiB", one, `{"client":"` + strings.Repeat("x", 1<<20-100) + `"}`, "400", "at most"},
			{"the token itself", one, `{"id":"` + token + `"}`, "400", "not the token"},
			{"the token as appid", all, `{"appid":"` + token + `"}`, "400", "appid"},
			{"unknown account", all, `{"appid":"wx9999999999999999"}`, "404", "wx9999999999999999"},
			{"unknown account in the subject", names.AccountRefreshSubject("wx9999999999999999"), "", "404", "no publisher"},
		} {
			_, fault := w.ask(c.subject, c.payload)
			if fault == nil || fault.code != c.code || !strings.Contains(fault.text, c.tells) || len(fault.text) > 400 {
				t.Errorf("%s: %+v", c.name, fault)
			}
			if fault != nil && strings.Contains(fault.text, token[:20]) {
				t.Errorf("%s: the reply repeats the token", c.name)
			}
			w.must(w.nc.Publish(c.subject, []byte(c.payload))) // and nobody to answer
		}
		time.Sleep(time.Second)
		if w.mints() != 1 || w.out.Count(`"level":"WARN"`) != 1 {
			t.Errorf("%d mints, %d warnings", w.mints(), w.out.Count(`"level":"WARN"`))
		}
		if w.out.Has(token[:20]) {
			t.Error("the token was logged")
		}
	})
}

func TestOneAccountNeedsNoName(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.PlainToken))
		v := w.value(anyValue)
		for _, payload := range []string{"", " \n", "{}", `{"unknown":[1]}`} {
			if reply, fault := w.ask(names.RefreshSubject(), payload); fault != nil || reply.Outcome != wire.TooSoon || reply.ID != v.ID {
				t.Errorf("%q: %+v, %+v", payload, reply, fault)
			}
		}
	})
}

func TestTheSubjectBeatsThePayload(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.PlainToken))
		w.value(anyValue)
		reply, fault := w.ask(names.AccountRefreshSubject(appid), `{"appid":"`+otherAppID+`"}`)
		if fault != nil || reply.AppID != appid {
			t.Errorf("%+v, %+v", reply, fault)
		}
	})
}

func TestAnAccountThatOthersHoldIsUnavailableHere(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.PlainToken))
		v := w.value(anyValue)
		v.AppID = otherAppID
		w.putAs(wire.Key(otherAppID, wire.KindAccessToken), v)
		if _, fault := w.ask(names.AccountRefreshSubject(otherAppID), ""); fault == nil || fault.code != "503" {
			t.Errorf("%+v", fault)
		}
	})
}

func TestTheServiceShowsItself(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		w.start(w.config(wechat.PlainToken))
		w.value(anyValue)
		w.ask(names.RefreshSubject(), "[]")
		for verb, want := range map[string]string{
			"PING":  `"name":"wx-token"`,
			"INFO":  fmt.Sprintf(`"subject":%q`, names.RefreshSubject()),
			"STATS": `"error_replies":1`,
		} {
			msg, err := w.nc.Request("$SRV."+verb+"."+wire.ServiceName, nil, time.Second)
			if err != nil || !strings.Contains(string(msg.Data), want) {
				t.Errorf("%s: %s, %v", verb, msg.Data, err)
			}
		}
	})
}
