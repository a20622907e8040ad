package wire

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestRequestsThatAreUnderstood(t *testing.T) {
	report := Request{AppID: "wx0123456789abcdef", ID: "9f86d081884c7d65", ErrCode: 42001, Client: "orders/pod-7"}
	for _, c := range []struct {
		what, data string
		want       Request
	}{
		{"nothing", "", Request{}},
		{"white space", " \r\n\t", Request{}},
		{"an empty object", "{}", Request{}},
		{"a report", `{"appid":"wx0123456789abcdef","id":"9f86d081884c7d65","errcode":42001,"client":"orders/pod-7"}`, report},
		{"a report with white space", " {\n \"appid\" : \"wx0123456789abcdef\", \"id\":\"9f86d081884c7d65\",\"errcode\":42001,\"client\":\"orders/pod-7\"} \n", report},
		{"an account", `{"appid":"wx1"}`, Request{AppID: "wx1"}},
		{"fields of later versions", `{"appid":"wx1","why":{"deep":[1]},"v":2}`, Request{AppID: "wx1"}},
		{"null fields", `{"appid":null,"id":null,"errcode":null,"client":null}`, Request{}},
		{"an error code that WeChat has not yet", `{"errcode":-1}`, Request{ErrCode: -1}},
	} {
		got, err := DecodeRequest([]byte(c.data))
		if err != nil || got != c.want {
			t.Errorf("%s: DecodeRequest(%q) = %+v, %v; want %+v", c.what, c.data, got, err, c.want)
		}
	}
}

func TestMalformedRequestsAreToldWhatIsWrong(t *testing.T) {
	const token = "84_vWPsecretTokenThatSomebodySentByMistake"
	long := strings.Repeat("x", 1<<20)
	for _, c := range []struct{ what, data, want string }{
		{"text", "refresh please " + token, "not a JSON object"},
		{"the bare token", token, "not a JSON object"},
		{"a string", `"` + token + `"`, "not a JSON object"},
		{"an array", `[{"appid":"wx1"}]`, "not a JSON object"},
		{"null", "null", "not a JSON object"},
		{"a number", "42001", "not a JSON object"},
		{"a broken object", `{"id":"` + token, "not valid JSON"},
		{"two objects", `{"id":""}{"id":"` + token + `"}`, "not valid JSON"},
		{"a comment", `{} // ` + token, "not valid JSON"},
		{"appid of another type", `{"appid":1}`, "field appid: want a string"},
		{"appid that is none", `{"appid":"` + token + `.>"}`, "field appid: want 1 to 64 letters"},
		{"appid with a wildcard", `{"appid":"*"}`, "field appid: want 1 to 64 letters"},
		{"id of another type", `{"id":["` + token + `"]}`, "field id: want a string"},
		{"id in capitals", `{"id":"9F86D081884C7D65"}`, "field id: want a token id"},
		{"id that is too short", `{"id":"9f86"}`, "field id: want a token id"},
		{"the token as id", `{"id":"` + token + `"}`, "field id: want a token id (the first 16 hex digits of the token's SHA-256), not the token"},
		{"errcode as text", `{"errcode":"` + token + `"}`, "field errcode: want a whole number"},
		{"errcode with a fraction", `{"errcode":42001.5}`, "field errcode: want a whole number"},
		{"errcode without end", `{"errcode":` + strings.Repeat("9", 100) + `}`, "field errcode: want a whole number"},
		{"client of another type", `{"client":{"name":"` + token + `"}}`, "field client: want a string"},
		{"one MiB of client", `{"client":"` + long + `"}`, "request of 1048589 bytes: at most 4096"},
		{"one MiB of white space", strings.Repeat(" ", 1<<20), "at most 4096"},
	} {
		got, err := DecodeRequest([]byte(c.data))
		if err == nil {
			t.Errorf("%s: no error", c.what)
			continue
		}
		if got != (Request{}) {
			t.Errorf("%s: returns %+v beside the error", c.what, got)
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %q doesn't say %q", c.what, err, c.want)
		}
		if strings.Contains(err.Error(), "84_") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats what was sent: %s", c.what, err)
		}
	}
}

func TestARequestMayBeAsLongAsTheLimit(t *testing.T) {
	data := []byte(`{"appid":"wx1"` + strings.Repeat(" ", MaxRequestSize-15) + "}")
	if got, err := DecodeRequest(data); err != nil || got.AppID != "wx1" {
		t.Errorf("DecodeRequest of %d bytes = %+v, %v", len(data), got, err)
	}
	if _, err := DecodeRequest(append(data, ' ')); err == nil {
		t.Errorf("DecodeRequest takes %d bytes", len(data)+1)
	}
}

func TestOddClientsAreDropped(t *testing.T) {
	for client, keep := range map[string]bool{
		"orders/pod-7":          true,
		"a.b_c:8080@d":          true,
		strings.Repeat("x", 64): true,
		strings.Repeat("x", 65): false,
		"":                      false,
		"two words":             false,
		"line\nbreak":           false,
		"<script>":              false,
		"订单":                    false,
		"\x1b[31m":              false,
		"a\"b":                  false,
	} {
		data, err := json.Marshal(map[string]string{"appid": "wx1", "client": client})
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeRequest(data)
		if err != nil || got.AppID != "wx1" {
			t.Errorf("client %q: %+v, %v", client, got, err)
		}
		if keep && got.Client != client || !keep && got.Client != "" {
			t.Errorf("client %q became %q", client, got.Client)
		}
	}
}

func TestRequestIsTheJSONOfTheContract(t *testing.T) {
	checkJSON(t, Request{AppID: "wx0123456789abcdef", ID: "9f86d081884c7d65", ErrCode: 42001, Client: "orders/pod-7"},
		`{"appid":"wx0123456789abcdef","id":"9f86d081884c7d65","errcode":42001,"client":"orders/pod-7"}`)
	checkJSON(t, Request{}, `{}`)
}

func TestReplyIsTheJSONOfTheContract(t *testing.T) {
	checkJSON(t, Reply{
		AppID:      "wx0123456789abcdef",
		ID:         "9f86d081884c7d65",
		Revision:   42,
		Generation: 1795361400123,
		ExpiresAt:  mintedAt.Add(2 * time.Hour),
		Outcome:    Replaced,
	}, `{"appid":"wx0123456789abcdef","id":"9f86d081884c7d65","revision":42,"generation":1795361400123,"expires_at":"2026-11-22T17:30:00.123Z","outcome":"replaced"}`)
}

func TestFaultIsTheJSONOfTheContract(t *testing.T) {
	checkJSON(t, Fault{ErrCode: 40164, ErrMsg: "invalid ip"}, `{"errcode":40164,"errmsg":"invalid ip"}`)
	checkJSON(t, Fault{RetryAt: &mintedAt}, `{"retry_at":"2026-11-22T15:30:00.123Z"}`)
	checkJSON(t, Fault{}, `{}`)
}

func TestEventIsTheJSONOfTheContract(t *testing.T) {
	expires := mintedAt.Add(2 * time.Hour)
	checkJSON(t, Event{AppID: "wx1", What: EventMinted, At: mintedAt, Publisher: "host-a/4711"},
		`{"appid":"wx1","what":"minted","at":"2026-11-22T15:30:00.123Z","publisher":"host-a/4711"}`)
	checkJSON(t, Event{
		AppID: "wx1", What: EventReport, At: mintedAt, Publisher: "host-a/4711", Reason: ReasonReported, Endpoint: "token",
		ID: "9f86d081884c7d65", PreviousID: "60303ae22b998861", Generation: 7, Revision: 42, ExpiresAt: &expires, Outcome: StillValid,
		Reports: 3, Client: "orders/pod-7", ErrCode: 40001, Detail: "d", RetryAt: &mintedAt,
	}, `{"appid":"wx1","what":"report","at":"2026-11-22T15:30:00.123Z","publisher":"host-a/4711","reason":"reported","endpoint":"token",`+
		`"id":"9f86d081884c7d65","previous_id":"60303ae22b998861","generation":7,"revision":42,"expires_at":"2026-11-22T17:30:00.123Z","outcome":"still_valid",`+
		`"reports":3,"client":"orders/pod-7","errcode":40001,"detail":"d","retry_at":"2026-11-22T15:30:00.123Z"}`)
}

func checkJSON(t *testing.T, v any, want string) {
	t.Helper()
	got, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%T is\n%s\nwant\n%s", v, got, want)
	}
}
