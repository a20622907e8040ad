package wxsim

import (
	"encoding/json"
	"testing"
	"time"
)

// Fake time begins at 08:00 in Beijing, 2000-01-01.
const untilMidnight = 16 * time.Hour

func TestTokenDayQuotaEndsAtBeijingMidnight(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for range 2000 {
			w.minted(w.token())
		}
		code(t, "2001st", w.token(), 45009)
		code(t, "other channel", w.stable(), 0)
		code(t, "other account", do(w.client, "GET", tokenPath(appid2, pass), ""), 0)
		time.Sleep(untilMidnight - 1)
		code(t, "before midnight", w.token(), 45009)
		time.Sleep(time.Nanosecond)
		code(t, "at midnight", w.token(), 0)
	})
}

func TestResetHour(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		code(t, "first", w.token(), 0)
		code(t, "second", w.token(), 45009)
		time.Sleep(time.Hour - 1)
		code(t, "before nine", w.token(), 45009)
		time.Sleep(time.Nanosecond)
		code(t, "at nine", w.token(), 0)
	}, withKnobs(Knobs{TokenPerDay: 1, ResetHour: 9}))
}

func TestScaledDay(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		code(t, "first", w.token(), 0)
		code(t, "second", w.token(), 45009)
		// A day of 72 s: 08:00 in Beijing is a whole number of them after any midnight.
		time.Sleep(72*time.Second - 1)
		code(t, "same day", w.token(), 45009)
		time.Sleep(time.Nanosecond)
		code(t, "next day", w.token(), 0)
	}, withLife(6*time.Second), withKnobs(Knobs{TokenPerDay: 1}))
}

func TestMinuteQuotas(t *testing.T) {
	for life, minute := range map[time.Duration]time.Duration{DefaultExpiresIn: time.Minute, 6 * time.Second: 50 * time.Millisecond} {
		bubble(t, func(t *testing.T, w *world) {
			code(t, "token", w.token(), 0)
			code(t, "stable", w.stable(), 0)
			code(t, "stable again", w.stable(), 0)
			code(t, "token over", w.token(), 45011)
			code(t, "stable over", w.stable(), 45011)
			code(t, "force over", w.force(), 45011)
			time.Sleep(minute)
			code(t, "token", w.token(), 0)
			code(t, "stable", w.stable(), 0)
		}, withLife(life), withKnobs(Knobs{TokenPerMinute: 1, StablePerMinute: 2}))
	}
}

func TestStableDefaults(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for range 10_000 {
			if got := w.stable(); got.ErrCode != 0 {
				t.Fatal(got.Body)
			}
		}
		code(t, "10,001st of the minute", w.stable(), 45011)
	})
	if l := (Knobs{}).stableLimits(); l.perDay != 500_000 {
		t.Errorf("stable per day: %d", l.perDay)
	}
}

func TestRefusedCallsCountNothing(t *testing.T) {
	w := newWorld(t, withKnobs(Knobs{TokenPerDay: 1, StablePerDay: -1, StablePerMinute: -1}))
	for range 3 {
		code(t, "wrong secret", do(w.client, "GET", tokenPath(appid, "junk"), ""), 40125)
	}
	code(t, "right secret", w.token(), 0)
	code(t, "over", w.token(), 45009)
}

func (w *world) clear(token, id string) said {
	return do(w.client, "POST", "/cgi-bin/clear_quota?access_token="+token, `{"appid":"`+id+`"}`)
}

func (w *world) clearV2(id, secret string) said {
	return do(w.client, "POST", "/cgi-bin/clear_quota/v2", `{"appid":"`+id+`","appsecret":"`+secret+`"}`)
}

func TestClearQuota(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.minted(w.token())
		code(t, "spent", w.token(), 45009)
		code(t, "clear", w.clear(a.Token, appid), 0)
		a = w.minted(w.token())
		code(t, "other appid", w.clear(a.Token, appid2), 40013)
		code(t, "no appid", w.clear(a.Token, ""), 41002)
		code(t, "no token", w.clear("", appid), 41001)
		code(t, "no JSON", do(w.client, "POST", "/cgi-bin/clear_quota?access_token="+a.Token, "x"), 47001)
		code(t, "GET", do(w.client, "GET", "/cgi-bin/clear_quota?access_token="+a.Token, ""), 43002)

		code(t, "v2", w.clearV2(appid, pass), 0)
		code(t, "v2 in the query", do(w.client, "POST", "/cgi-bin/clear_quota/v2?appid="+appid+"&appsecret="+pass, ""), 0)
		code(t, "v2, wrong secret", w.clearV2(appid, "junk"), 40125)
		code(t, "v2, bad appid", w.clearV2("wxnobody", pass), 40013)
		code(t, "v2, no secret", w.clearV2(appid, ""), 41004)
		code(t, "v2, no JSON", do(w.client, "POST", "/cgi-bin/clear_quota/v2", "x"), 47001)
		for range 7 {
			code(t, "v2", w.clearV2(appid, pass), 0)
		}
		code(t, "11th", w.clearV2(appid, pass), 48006)
		code(t, "11th with a token", w.clear(w.token().Token, appid), 48006)
		time.Sleep(30*24*time.Hour + untilMidnight - 1)
		code(t, "last of January", w.clearV2(appid, pass), 48006)
		time.Sleep(time.Nanosecond)
		code(t, "first of February", w.clearV2(appid, pass), 0)
	}, withKnobs(Knobs{TokenPerDay: 1}))
}

func TestClearQuotaOfScaledMonths(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for range 10 {
			code(t, "clear", w.clearV2(appid, pass), 0)
		}
		code(t, "11th", w.clearV2(appid, pass), 48006)
		time.Sleep(30 * 72 * time.Second)
		code(t, "a scaled month later", w.clearV2(appid, pass), 0)
	}, withLife(6*time.Second))
}

func TestQuotaGet(t *testing.T) {
	w := newWorld(t)
	a := w.stable()
	for range 3 {
		w.token()
	}
	get := func(path string) said {
		return do(w.client, "POST", "/cgi-bin/openapi/quota/get?access_token="+a.Token, `{"cgi_path":"`+path+`"}`)
	}
	for path, want := range map[string]string{
		"/cgi-bin/token":            `{"errcode":0,"errmsg":"ok","quota":{"daily_limit":2000,"used":3,"remain":1997}}`,
		"/cgi-bin/stable_token":     `{"errcode":0,"errmsg":"ok","quota":{"daily_limit":500000,"used":1,"remain":499999},"rate_limit":{"call_count":10000,"refresh_second":60}}`,
		"/cgi-bin/ticket/getticket": `{"errcode":0,"errmsg":"ok","quota":{"daily_limit":10000,"used":0,"remain":10000}}`,
	} {
		if got := get(path); got.Body != want {
			t.Errorf("%s: %s, want %s", path, got.Body, want)
		}
	}
	code(t, "unknown path", get("/cgi-bin/nothing"), 76021)
	code(t, "no JSON", do(w.client, "POST", "/cgi-bin/openapi/quota/get?access_token="+a.Token, "x"), 47001)
	code(t, "no token", do(w.client, "POST", "/cgi-bin/openapi/quota/get", "{}"), 41001)
}

func TestRidGet(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.stable()
		other := do(w.client, "GET", tokenPath(appid2, pass), "")
		bad := do(w.client, "GET", tokenPath(appid, "junk-secret"), "")
		rid := bad.ErrMsg[len(bad.ErrMsg)-26:]
		get := func(token, rid string) said {
			return do(w.client, "POST", "/cgi-bin/openapi/rid/get?access_token="+token, `{"rid":"`+rid+`"}`)
		}
		got := get(a.Token, rid)
		var body struct{ Request map[string]any }
		fail(t, json.Unmarshal([]byte(got.Body), &body))
		if r := body.Request; r["response_body"] != bad.Body || r["client_ip"] != "127.0.0.1" || r["request_url"] != "appid="+appid+"&grant_type=client_credential&secret=***" {
			t.Errorf("rid/get: %s", got.Body)
		}
		code(t, "another's rid", get(other.Token, rid), 76003)
		code(t, "no rid", get(a.Token, ""), 76002)
		code(t, "unknown rid", get(a.Token, "00000000-00000000-00000000"), 76001)
		code(t, "no token", get("", rid), 41001)
		code(t, "no JSON", do(w.client, "POST", "/cgi-bin/openapi/rid/get?access_token="+a.Token, "x"), 47001)
		time.Sleep(7*24*time.Hour + 1)
		code(t, "old rid", get(w.stable().Token, rid), 76004)
	})
}

func TestFailuresAreForgottenInTheEnd(t *testing.T) {
	w := newWorld(t)
	for range keptFailures + 50 {
		w.check("")
	}
	if len(w.failures.list) != keptFailures || len(w.failures.at) != keptFailures {
		t.Errorf("%d failures and %d rids are kept", len(w.failures.list), len(w.failures.at))
	}
}
