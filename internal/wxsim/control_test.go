package wxsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// sim calls a control endpoint that has to succeed, and decodes its answer.
func sim[T any](w *world, method, path, body string) T {
	w.t.Helper()
	got := do(w.client, method, "/_sim/"+path, body)
	if got.Err != nil || got.Status != 200 {
		w.t.Fatalf("%s %s %s: %d %s %v", method, path, body, got.Status, got.Body, got.Err)
	}
	var v T
	if err := json.Unmarshal([]byte(got.Body), &v); err != nil {
		w.t.Fatalf("%s %s: %v in %s", method, path, err, got.Body)
	}
	return v
}

// act is sim for endpoints that only say ok.
func (w *world) post(path, body string) {
	w.t.Helper()
	if !sim[map[string]bool](w, "POST", path, body)["ok"] {
		w.t.Errorf("POST %s %s is not ok", path, body)
	}
}

func TestControlHelp(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/_sim", "/_sim/"} {
		got := do(w.client, "GET", path, "")
		for _, c := range commands() {
			if !strings.Contains(got.Body, "http://api.weixin.qq.com/_sim/"+c.path) {
				t.Errorf("%s doesn't tell of %s", path, c.path)
			}
		}
		for _, kind := range kinds {
			if kindHelp[kind] == "" || !strings.Contains(got.Body, "  "+string(kind)+" ") {
				t.Errorf("%s doesn't explain the fault %s", path, kind)
			}
		}
	}
}

// Every curl line of the help works as it stands.
func TestControlHelpLinesWork(t *testing.T) {
	w := newWorld(t)
	w.post("accounts", `{"appid":"wx1","secret":"s"}`)
	line := regexp.MustCompile(`^(/_sim/[^']*)'(?: -d '([^']*)')?(?: -X DELETE)?$`)
	for _, c := range commands() {
		m := line.FindStringSubmatch(c.curl)
		if m == nil {
			t.Errorf("%s: odd line %s", c.path, c.curl)
			continue
		}
		if c.path == "accounts" && c.method == "POST" {
			m[2] = strings.ReplaceAll(m[2], "wx1", "wx2")
		}
		if got := do(w.client, c.method, m[1], m[2]); got.Status != 200 {
			t.Errorf("%s %s: %d %s", c.method, c.curl, got.Status, got.Body)
		}
		w.ClearFaults(All)
	}
}

func TestControlStats(t *testing.T) {
	w := newWorld(t)
	w.token()
	w.stable()
	w.stable()
	w.force()
	do(w.client, "GET", tokenPath("wxnobody", "x"), "")
	got := sim[Stats](w, "GET", "stats?appid="+appid, "")
	if want := (Stats{Mints: MintStats{Token: 1, Normal: 1, Force: 1}, SameToken: 1, Accepted: 4, Refused: map[int]int64{}, Faults: map[Kind]int64{}}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := sim[Stats](w, "GET", "stats", ""); got.Refused[40013] != 1 || got.Accepted != 4 {
		t.Errorf("all: %+v", got)
	}
}

func TestControlToken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		if got := sim[tokenAnswer](w, "GET", "token?appid="+appid, ""); got.ID != "" || got.MintedAt != nil {
			t.Errorf("before the first mint: %+v", got)
		}
		a, b := w.token().Token, w.token().Token
		time.Sleep(1500 * time.Millisecond)
		plain := do(w.client, "GET", "/_sim/token?channel=token&appid="+appid, "")
		if strings.Contains(plain.Body, b) {
			t.Error("the token is shown without reveal=1")
		}
		got := sim[tokenAnswer](w, "GET", "token?channel=token&reveal=1&appid="+appid, "")
		if got.ID != wire.TokenID(b) || got.PreviousID != wire.TokenID(a) || got.Age != 1.5 || got.Remaining != 7198.5 || got.AccessToken != b || got.ErrCode != 0 {
			t.Errorf("%+v", got)
		}
		w.must(w.Revoke(appid, ChannelToken, true))
		if got := sim[tokenAnswer](w, "GET", "token?channel=token&appid="+appid, ""); got.ErrCode != 40001 {
			t.Errorf("revoked: %+v", got)
		}
		info, err := w.Token(appid, ChannelToken)
		fail(t, err)
		if strings.Contains(fmt.Sprintf("%+v %#v", info, info), b) {
			t.Error("printing a TokenInfo shows the token")
		}
	})
}

func TestControlTicket(t *testing.T) {
	w := newWorld(t)
	if got := sim[map[string]any](w, "GET", "ticket?appid="+appid, ""); got["id"] != "" || got["valid"] != false {
		t.Errorf("before the first: %v", got)
	}
	ticket := w.ticket(w.stable().Token, "wx_card").Ticket
	if got := sim[map[string]any](w, "GET", "ticket?type=wx_card&appid="+appid, ""); got["id"] != wire.TokenID(ticket) || got["valid"] != true {
		t.Errorf("%v", got)
	}
}

func TestControlLedger(t *testing.T) {
	w := newWorld(t)
	if got := do(w.client, "GET", "/_sim/ledger", ""); got.Body != "[]\n" {
		t.Errorf("empty: %q", got.Body)
	}
	id := sim[map[string]string](w, "POST", "mint", `{"appid":"`+appid+`"}`)["id"]
	w.stable()
	got := sim[[]Mint](w, "GET", "ledger?appid="+appid, "")
	if len(got) != 2 || got[0].ID != id || got[0].By != ByStranger || got[1].Mode != ModeNormal {
		t.Errorf("%+v", got)
	}
	if got := sim[[]Mint](w, "GET", "ledger?after=1", ""); len(got) != 1 || got[0].Seq != 2 {
		t.Errorf("after: %+v", got)
	}
	if got := sim[[]Mint](w, "GET", "ledger?limit=1", ""); len(got) != 1 || got[0].Seq != 1 {
		t.Errorf("limit: %+v", got)
	}
}

func TestControlAccounts(t *testing.T) {
	w := newWorld(t)
	w.post("accounts", `{"appid":"wx1","secret":"s","whitelist":["203.0.113.9"]}`)
	if got := sim[[]string](w, "GET", "accounts", ""); !reflect.DeepEqual(got, []string{appid, "wx1", appid2}) {
		t.Errorf("accounts %v", got)
	}
	code(t, "its whitelist", do(w.client, "GET", tokenPath("wx1", "s"), ""), 40164)
}

func TestControlFaults(t *testing.T) {
	w := newWorld(t)
	add := func(body string) int { return sim[map[string]int](w, "POST", "faults", body)["id"] }
	id := add(`{"kind":"short_expires","expires_in":10,"for":"1h"}`)
	if got := w.stable().Expires; got != 10 {
		t.Errorf("expires_in %d, want 10", got)
	}
	list := sim[[]map[string]any](w, "GET", "faults", "")
	if len(list) != 1 || list[0]["expires_in"] != "10s" || list[0]["for"] != "1h0m0s" || list[0]["fired"] != 1.0 || list[0]["appid"] != "*" {
		t.Errorf("faults %v", list)
	}
	removed := func(query string) int { return sim[map[string]int](w, "DELETE", "faults?"+query, "")["removed"] }
	if removed(fmt.Sprint("id=", id)) != 1 {
		t.Error("not removed by id")
	}
	add(`{"kind":"busy","appid":"` + appid + `"}`)
	add(`{"kind":"busy","appid":"` + appid2 + `"}`)
	if removed("appid="+appid) != 1 || removed("appid=*") != 1 {
		t.Error("not removed by appid")
	}
	if got := do(w.client, "GET", "/_sim/faults", ""); got.Body != "[]\n" {
		t.Errorf("none: %q", got.Body)
	}
}

func TestControlActions(t *testing.T) {
	w := newWorld(t)
	who := `"appid":"` + appid + `"`
	a := w.stable()
	w.post("revoke", `{`+who+`}`)
	w.wants("revoked", a.Token, 40001)
	w.post("state", `{"appid":"*","state":"secret_frozen"}`)
	code(t, "frozen", w.token(), 40243)
	w.post("state", `{`+who+`,"state":"active"}`)
	w.post("whitelist", `{`+who+`,"ips":["203.0.113.9"],"now":true}`)
	code(t, "not in the whitelist", w.token(), 40164)
	w.post("whitelist", `{`+who+`,"ips":[],"now":true}`)
	w.post("confirm", `{`+who+`,"action":"require"}`)
	code(t, "to be confirmed", w.token(), 89503)
	w.post("confirm", `{`+who+`,"action":"confirm"}`)
	code(t, "confirmed", w.token(), 0)
	w.post("expires_in", `{"appid":"*","expires_in":"6s"}`)
	if got := w.token().Expires; got != 6 {
		t.Errorf("expires_in %d, want 6", got)
	}
	w.post("accounts", `{"appid":"wx1","secret":"s"}`)
	if got := do(w.client, "GET", tokenPath("wx1", "s"), "").Expires; got != 6 {
		t.Errorf("account added later: expires_in %d, want 6", got)
	}
	w.post("expires_in", `{`+who+`,"expires_in":60}`)
	if got := w.token().Expires; got != 60 {
		t.Errorf("expires_in %d, want 60", got)
	}
	w.post("secret", `{`+who+`,"secret":"new"}`)
	code(t, "old secret", w.token(), 40125)
}

func TestControlKnobs(t *testing.T) {
	w := newWorld(t)
	w.post("knobs", `{"appid":"`+appid+`","replaced_code":42001,"whitelist_lag":"1m"}`)
	w.post("knobs", `{"appid":"*","token_per_day":1}`)
	want := Knobs{ReplacedCode: 42001, WhitelistLag: time.Minute, TokenPerDay: 1}
	if got, err := w.Knobs(appid); err != nil || got != want {
		t.Errorf("knobs %+v %v, want %+v", got, err, want)
	}
	got := sim[map[string]any](w, "GET", "knobs?appid="+appid, "")
	if got["replaced_code"] != 42001.0 || got["whitelist_lag"] != "1m0s" || got["token_per_day"] != 1.0 {
		t.Errorf("knobs %v", got)
	}
	if got, _ := w.Knobs(All); got != (Knobs{TokenPerDay: 1}) {
		t.Errorf("knobs of later accounts %+v", got)
	}
	w.must(w.SetKnobs(appid, Knobs{}))
	code(t, "no limit", w.token(), 0)
	code(t, "no limit", w.token(), 0)
	if w.SetKnobs(appid, Knobs{WhitelistCode: 1}) == nil || second(w.Knobs("wxnobody")) == nil {
		t.Error("nonsense was taken")
	}
}

func TestControlWithOneAccountNeedsNoName(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Accounts = o.Accounts[:1] })
	id := sim[map[string]string](w, "POST", "mint", `{}`)["id"]
	if got := sim[tokenAnswer](w, "GET", "token?channel=token", ""); got.ID != id || got.AppID != appid {
		t.Errorf("%+v", got)
	}
}

func TestControlMistakes(t *testing.T) {
	w := newWorld(t, withKnobs(Knobs{TokenPerDay: 1}))
	w.token()
	who := `"appid":"` + appid + `"`
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string // in the answer
	}{
		{"GET", "nothing", "", 404, "GET /_sim/ lists them"},
		{"PUT", "faults", "", 405, "use GET or POST or DELETE"},
		{"POST", "stats", "{}", 405, "use GET"},
		{"GET", "stats?appid=wxnobody", "", 400, "field appid"},
		{"GET", "stats?x=1", "", 400, "field x is unknown; the fields are appid"},
		{"GET", "stats?a;b", "", 400, "query"},
		{"GET", "token", "", 400, "field appid is missing"},
		{"GET", "token?x=1", "", 400, "the fields are appid, channel, reveal"},
		{"GET", "token?channel=x&appid=" + appid, "", 400, "is none of [token stable_token]"},
		{"GET", "token?appid=*", "", 400, "field appid"},
		{"GET", "ticket?appid=wxnobody", "", 400, "field appid"},
		{"GET", "ticket?x=1", "", 400, "field x"},
		{"GET", "ticket?type=x&appid=" + appid, "", 400, "is none of [jsapi wx_card]"},
		{"GET", "ledger?x=1", "", 400, "field x"},
		{"GET", "ledger?after=x", "", 400, "field after"},
		{"GET", "ledger?limit=-1", "", 400, "field limit"},
		{"GET", "ledger?appid=wxnobody", "", 400, "field appid"},
		{"GET", "knobs", "", 400, "field appid is missing"},
		{"GET", "knobs?x=1", "", 400, "field x"},
		{"POST", "accounts", `{"appid":"a b","secret":""}`, 400, "field secret"},
		{"POST", "accounts", `{` + who + `,"secret":"x"}`, 400, "field appid exists"},
		{"POST", "accounts", `{"appid":1}`, 400, "field appid: number where a string should be"},
		{"POST", "accounts", `[]`, 400, "with the fields appid, secret, whitelist"},
		{"POST", "faults", ``, 400, "JSON"},
		{"POST", "faults", `{"kind":"x"}`, 400, "busy errcode hang"},
		{"POST", "faults", `{"kind":"busy","grp":"mint"}`, 400, "field grp is unknown; the fields are after, appid,"},
		{"POST", "faults", `{"kind":"delay","delay":"soon"}`, 400, "is no duration"},
		{"POST", "faults", `{"kind":"delay","delay":true}`, 400, "is no duration"},
		{"POST", "faults", `{"kind":"busy"}{}`, 400, "more than one"},
		{"DELETE", "faults", ``, 400, "field id or appid"},
		{"DELETE", "faults?x=1", ``, 400, "field x"},
		{"DELETE", "faults?id=x", ``, 400, "field id"},
		{"DELETE", "faults?id=99", ``, 400, "field id"},
		{"DELETE", "faults?appid=wxnobody", ``, 400, "field appid"},
		{"POST", "revoke", `{}`, 400, "field appid is missing"},
		{"POST", "revoke", `{` + who + `,"channel":"x"}`, 400, "field channel"},
		{"POST", "revoke", `x`, 400, "JSON"},
		{"POST", "mint", `{` + who + `,"force":true}`, 400, "field force"},
		{"POST", "mint", `{` + who + `}`, 400, "errcode 45009"},
		{"POST", "mint", `{"appid":"*"}`, 400, "field appid"},
		{"POST", "mint", `{}`, 400, "field appid is missing"},
		{"POST", "mint", `x`, 400, "JSON"},
		{"POST", "state", `{` + who + `,"state":"x"}`, 400, "is none of [active secret_frozen account_frozen token_forbidden]"},
		{"POST", "state", `x`, 400, "JSON"},
		{"POST", "whitelist", `{` + who + `,"ips":["x"]}`, 400, "field ips"},
		{"POST", "whitelist", `x`, 400, "JSON"},
		{"POST", "confirm", `{` + who + `,"action":"x"}`, 400, "is none of [require confirm refuse off]"},
		{"POST", "confirm", `{` + who + `,"action":"refuse","ip":"x"}`, 400, "field ip"},
		{"POST", "confirm", `x`, 400, "JSON"},
		{"POST", "secret", `{` + who + `}`, 400, "field secret"},
		{"POST", "secret", `x`, 400, "JSON"},
		{"POST", "expires_in", `{` + who + `}`, 400, "expires_in"},
		{"POST", "expires_in", `{"expires_in":"x"}`, 400, "no duration"},
		{"POST", "knobs", `{"appid":"*","reset_hour":24}`, 400, "field reset_hour"},
		{"POST", "knobs", `{"appid":"*","x":1}`, 400, "field x is unknown"},
		{"POST", "knobs", `{}`, 400, "field appid is missing"},
	} {
		got := do(w.client, c.method, "/_sim/"+c.path, c.body)
		if got.Status != c.status || !strings.Contains(strings.ReplaceAll(got.Body, `\"`, `"`), c.want) {
			t.Errorf("%s %s %s: %d %s, want %d and %q", c.method, c.path, c.body, got.Status, got.Body, c.status, c.want)
		}
	}
	if n := len(w.Ledger(All)); n != 1 || len(w.Faults()) != 0 {
		t.Errorf("mistakes had an effect: %d mints, faults %v", n, w.Faults())
	}
}

func TestLogsShowNoSecrets(t *testing.T) {
	var out bytes.Buffer
	w := newWorld(t, func(o *Options) { o.Logger = slog.New(slog.NewJSONHandler(&out, nil)) })
	tokens := []string{w.token().Token, w.stable().Token, w.force().Token}
	do(w.client, "GET", tokenPath(appid, "wrong-secret"), "")
	w.must(w.Revoke(appid, ChannelToken, true))
	w.check(tokens[0])
	w.check("stray-token")
	w.ForeignMint(appid, ChannelToken, false)
	for _, hidden := range append(tokens, pass, "wrong-secret", "stray-token") {
		if strings.Contains(out.String(), hidden) {
			t.Errorf("the log shows %s", hidden)
		}
	}
	if got := strings.Count(out.String(), "\n"); got != 4+3 {
		t.Errorf("%d lines for 4 mints and 3 refusals:\n%s", got, out.String())
	}
	if !strings.Contains(out.String(), `"token_id":"`+wire.TokenID(tokens[0])+`"`) {
		t.Error("the log doesn't name the refused token's id")
	}
}
