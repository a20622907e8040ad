package wire

import (
	"regexp"
	"strings"
	"testing"
)

func TestNamesOfTheContract(t *testing.T) {
	n := DefaultNames()
	staging := Names{Bucket: "staging_token", Prefix: "staging.wx.token"}
	const appid = "wx0123456789abcdef"
	key := Key(appid, KindAccessToken)
	for _, c := range []struct{ what, got, want string }{
		{"bucket", n.Bucket, "wx_token"},
		{"ops bucket", n.OpsBucket(), "wx_token_ops"},
		{"stream", n.Stream(), "KV_wx_token"},
		{"key", key, "wx0123456789abcdef.access_token"},
		{"key subject", n.KeySubject(key), "$KV.wx_token.wx0123456789abcdef.access_token"},
		{"all key subjects", n.KeySubject(">"), "$KV.wx_token.>"},
		{"refresh", n.RefreshSubject(), "wx.token.refresh"},
		{"refresh of an account", n.AccountRefreshSubject(appid), "wx.token.refresh.wx0123456789abcdef"},
		{"refresh of every account", n.AccountRefreshSubject("*"), "wx.token.refresh.*"},
		{"update", n.UpdateSubject(key), "wx.token.update.wx0123456789abcdef.access_token"},
		{"all updates", n.UpdateSubject(">"), "wx.token.update.>"},
		{"event", n.EventSubject(appid, EventMinted), "wx.token.event.wx0123456789abcdef.minted"},
		{"service", ServiceName, "wx-token"},
		{"second bucket", staging.OpsBucket(), "staging_token_ops"},
		{"second stream", staging.Stream(), "KV_staging_token"},
		{"second refresh", staging.RefreshSubject(), "staging.wx.token.refresh"},
		{"second key subject", staging.KeySubject(key), "$KV.staging_token.wx0123456789abcdef.access_token"},
	} {
		if c.got != c.want {
			t.Errorf("%s is %q, want %q", c.what, c.got, c.want)
		}
	}
}

func TestWordsOfTheContract(t *testing.T) {
	words := []string{
		EventMinted, EventMintFailed, EventReport, EventStaleWriter, EventForeignMinter, EventBudgetSpent, EventLeaseLost,
		string(ReasonStartup), string(ReasonScheduled), string(ReasonReported), string(ReasonManual), string(ReasonMissing),
		string(AlreadyReplaced), string(Replaced), string(StillValid), string(TooSoon),
	}
	const want = "minted mint_failed report stale_writer foreign_minter budget_spent lease_lost " +
		"startup scheduled reported manual missing " +
		"already_replaced replaced still_valid too_soon"
	if got := strings.Join(words, " "); got != want {
		t.Errorf("words are\n%s\nwant\n%s", got, want)
	}
	codes := [...]int{CodeMalformed, CodeUnknownAccount, CodeBudgetSpent, CodeRefused, CodeUnavailable, CodeTimeout}
	if codes != [...]int{400, 404, 429, 502, 503, 504} {
		t.Errorf("codes are %v", codes)
	}
}

func TestSplitKeyUndoesKey(t *testing.T) {
	for _, c := range []struct {
		key, appid, kind string
		ok               bool
	}{
		{"wx1.access_token", "wx1", "access_token", true},
		{"wx1.jsapi_ticket", "wx1", "jsapi_ticket", true},
		{"wx1.a.b", "wx1", "a.b", true},
		{"wx1", "", "", false},
		{"wx1.", "", "", false},
		{".access_token", "", "", false},
		{"", "", "", false},
	} {
		appid, kind, ok := SplitKey(c.key)
		if ok != c.ok || ok && (appid != c.appid || kind != c.kind) {
			t.Errorf("SplitKey(%q) = %q, %q, %v", c.key, appid, kind, ok)
		}
	}
}

func TestCheckAppID(t *testing.T) {
	for appid, ok := range map[string]bool{
		"wx0123456789abcdef":    true,
		"gh_A-1":                true,
		"a":                     true,
		strings.Repeat("a", 64): true,
		strings.Repeat("a", 65): false,
		"":                      false,
		"wx1.access_token":      false,
		"wx1 ":                  false,
		"wx1\n":                 false,
		"*":                     false,
		">":                     false,
		"$JS":                   false,
		"../etc":                false,
		`a\b`:                   false,
		"微信":                    false,
		"wx1\x00":               false,
	} {
		if err := CheckAppID(appid); (err == nil) != ok {
			t.Errorf("CheckAppID(%q) = %v", appid, err)
		}
	}
	if err := CheckAppID(strings.Repeat("x", 1<<20)); len(err.Error()) > 200 {
		t.Errorf("CheckAppID answers with %d bytes", len(err.Error()))
	}
}

func TestCheckAppIDIsTheRegularExpression(t *testing.T) {
	form := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	check := func(appid string) {
		if got, want := CheckAppID(appid) == nil, form.MatchString(appid); got != want {
			t.Errorf("CheckAppID(%q) accepts: %v, want %v", appid, got, want)
		}
	}
	for first := range 256 {
		check(string([]byte{byte(first)}))
		for second := range 256 {
			check(string([]byte{byte(first), byte(second)}))
		}
	}
	for length := range 70 {
		check(strings.Repeat("x", length))
		check(strings.Repeat("x", length) + "\n")
	}
}

func TestNamesCheck(t *testing.T) {
	for _, c := range []struct {
		bucket, prefix, complains string
	}{
		{"wx_token", "wx.token", ""},
		{"B-2", "one", ""},
		{"B", "a.b-c.d_e.9", ""},
		{"", "wx.token", "bucket name"},
		{"wx.token", "wx.token", "bucket name"},
		{"wx token", "wx.token", "bucket name"},
		{"wx_token\n", "wx.token", "bucket name"},
		{"a/b", "wx.token", "bucket name"},
		{"wx_token", "", "subject prefix"},
		{"wx_token", ".", "subject prefix"},
		{"wx_token", "wx..token", "subject prefix"},
		{"wx_token", "wx.token.", "subject prefix"},
		{"wx_token", ".wx", "subject prefix"},
		{"wx_token", "wx.*", "subject prefix"},
		{"wx_token", "wx.>", "subject prefix"},
		{"wx_token", "$JS.API", "subject prefix"},
		{"wx_token", "wx token", "subject prefix"},
	} {
		err := Names{Bucket: c.bucket, Prefix: c.prefix}.Check()
		if c.complains == "" && err != nil || c.complains != "" && (err == nil || !strings.HasPrefix(err.Error(), c.complains)) {
			t.Errorf("Names{%q, %q}.Check() = %v, want a complaint about %q", c.bucket, c.prefix, err, c.complains)
		}
	}
}
