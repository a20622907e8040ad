package wire

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
)

var mintedAt = time.Date(2026, 11, 22, 15, 30, 0, 123e6, time.UTC)

func example() Value {
	return Value{
		AppID:      "wx0123456789abcdef",
		Kind:       KindAccessToken,
		Token:      secret.New("test"),
		ID:         "9f86d081884c7d65",
		ExpiresIn:  2 * time.Hour,
		MintedAt:   mintedAt,
		ExpiresAt:  mintedAt.Add(2 * time.Hour),
		Reason:     ReasonScheduled,
		Publisher:  "host-a/4711",
		Endpoint:   "stable_token",
		PreviousID: "60303ae22b998861",
		Generation: 1795361400123,
		Fence:      812,
	}
}

// exampleJSON is the example of the public contract, with "test" as the token.
const exampleJSON = `{"appid":"wx0123456789abcdef","kind":"access_token","access_token":"test","id":"9f86d081884c7d65",` +
	`"expires_in":7200,"minted_at":"2026-11-22T15:30:00.123Z","expires_at":"2026-11-22T17:30:00.123Z",` +
	`"reason":"scheduled","publisher":"host-a/4711","endpoint":"stable_token","previous_id":"60303ae22b998861","generation":1795361400123,"fence":812}`

func TestStoredValueIsTheJSONOfTheContract(t *testing.T) {
	got, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != exampleJSON {
		t.Errorf("stored value is\n%s\nwant\n%s", got, exampleJSON)
	}
}

func TestValueOfAFirstTokenHasNoPreviousID(t *testing.T) {
	v := example()
	v.PreviousID = ""
	got, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(exampleJSON, `"previous_id":"60303ae22b998861",`, "", 1); string(got) != want {
		t.Errorf("stored value is\n%s\nwant\n%s", got, want)
	}
}

func TestValueSurvivesTheStore(t *testing.T) {
	data, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeValue(data)
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, got, example())
}

func checkSame(t *testing.T, got, want Value) {
	t.Helper()
	if !got.Token.Equal(want.Token) {
		t.Errorf("token changed")
	}
	got.Token, want.Token = secret.String{}, secret.String{}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestStoredTimesAreMillisecondsAndNeverLater(t *testing.T) {
	beijing := time.FixedZone("CST", 8*3600)
	for _, at := range []time.Time{
		mintedAt,
		mintedAt.Add(1),
		mintedAt.Add(999_999),
		mintedAt.Add(877 * time.Millisecond), // a whole second: JSON drops the fraction
		mintedAt.In(beijing),
		time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Now(), // bears a monotonic reading
	} {
		v := example()
		v.MintedAt, v.ExpiresAt = at, at.Add(v.ExpiresIn)
		got := throughStore(t, v)
		for name, times := range map[string][2]time.Time{"minted_at": {got.MintedAt, v.MintedAt}, "expires_at": {got.ExpiresAt, v.ExpiresAt}} {
			late := times[0].Sub(times[1])
			if late > 0 || late <= -time.Millisecond {
				t.Errorf("%s %v is stored as %v", name, times[1], times[0])
			}
			if times[0].Nanosecond()%1e6 != 0 || times[0].Location() != time.UTC {
				t.Errorf("%s is stored as %v, want UTC in milliseconds", name, times[0])
			}
		}
	}
}

func throughStore(t *testing.T, v Value) Value {
	t.Helper()
	data, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeValue(data)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTimesInOtherZonesAreReadAsUTC(t *testing.T) {
	got, err := DecodeValue([]byte(strings.Replace(exampleJSON, "2026-11-22T17:30:00.123Z", "2026-11-23T01:30:00.123+08:00", 1)))
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, got, example())
}

func TestIDIsAlwaysComputed(t *testing.T) {
	v := example()
	v.ID = "not the id"
	data, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != exampleJSON {
		t.Errorf("a wrong id was stored: %s", data)
	}
	for _, lie := range []string{`"id":"0000000000000000"`, `"id":""`, `"ID":"x"`} {
		got, err := DecodeValue([]byte(strings.Replace(exampleJSON, `"id":"9f86d081884c7d65"`, lie, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != TokenID("test") {
			t.Errorf("with %s the id is %q", lie, got.ID)
		}
	}
}

func TestUnknownFieldsOfAValueAreIgnored(t *testing.T) {
	added := `{"scope":["a",{"b":null}],"v":2,` + exampleJSON[1:]
	got, err := DecodeValue([]byte(added))
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, got, example())
}

func TestBrokenValuesAreRejectedWithoutQuotingThem(t *testing.T) {
	const token = "84_vWPsecret"
	with := func(old, new string) string {
		return strings.Replace(strings.Replace(exampleJSON, `"access_token":"test"`, `"access_token":"`+token+`"`, 1), old, new, 1)
	}
	for name, data := range map[string]string{
		"empty":                  "",
		"null":                   "null",
		"the bare token":         token,
		"the token as JSON":      `"` + token + `"`,
		"an array":               `["` + token + `"]`,
		"cut off":                with("", "")[:200],
		"two values":             with("", "") + with("", ""),
		"WeChat's own reply":     `{"access_token":"` + token + `","expires_in":7200}`,
		"no token":               with(`"access_token":"`+token+`"`, `"publisher":"`+token+`"`),
		"an empty token":         with(`"access_token":"`+token+`"`, `"access_token":""`),
		"a number as token":      with(`"access_token":"`+token+`"`, `"access_token":84`),
		"the token as appid":     with("wx0123456789abcdef", token+"/"),
		"an empty appid":         with("wx0123456789abcdef", ""),
		"a dot in the appid":     with("wx0123456789abcdef", "wx.0123"),
		"no expires_at":          with("expires_at", "expires_when"),
		"the token as time":      with("2026-11-22T17:30:00.123Z", token),
		"a number as time":       with(`"2026-11-22T17:30:00.123Z"`, "1795368600"),
		"no generation":          with("generation", "generations"),
		"generation 0":           with("1795361400123", "0"),
		"a negative generation":  with("1795361400123", "-1"),
		"a fractional one":       with("1795361400123", "1.5"),
		"no generation after it": with("1795361400123", "18446744073709551615"),
		"a negative expires_in":  with("7200", "-1"),
		"an endless expires_in":  with("7200", "9223372036854775807"),
		"the token as number":    with("7200", `"`+token+`"`),
	} {
		v, err := DecodeValue([]byte(data))
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if v != (Value{}) {
			t.Errorf("%s: returns a value beside the error", name)
		}
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "84_") || strings.Contains(text, "secret") {
			t.Errorf("%s: the error quotes the data: %s", name, text)
		}
	}
}

func TestPrintingAValueShowsNoToken(t *testing.T) {
	v := example()
	v.Token = secret.New("84_vWPsecret")
	marshaled, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", v, &v, v, marshaled); strings.Contains(text, "secret\"") || strings.Contains(text, "84_vWP") {
		t.Errorf("shows the token: %s", text)
	}
}

func TestTokenIDIsTheStartOfTheSHA256(t *testing.T) {
	for token, want := range map[string]string{
		"test":                   "9f86d081884c7d65",
		"":                       "e3b0c44298fc1c14",
		strings.Repeat("a", 1e6): "cdc76e5c9914fb92", // of FIPS 180
	} {
		if got := TokenID(token); got != want {
			t.Errorf("TokenID(%.20q) = %q, want %q", token, got, want)
		}
	}
}

func TestGenerationNeverGoesBack(t *testing.T) {
	const now = 1795361400123
	for _, c := range []struct {
		what     string
		previous uint64
		minted   time.Time
		want     uint64
	}{
		{"the first token", 0, mintedAt, now},
		{"hours later", now - 7200_000, mintedAt, now},
		{"in the same millisecond", now, mintedAt.Add(999_999), now + 1},
		{"one millisecond on", now - 1, mintedAt, now},
		{"a clock that is behind", now + 60_000, mintedAt, now + 60_001},
		{"a clock before 1970", 7, time.Unix(-5, 0), 8},
		{"no clock at all", 0, time.Time{}, 1},
	} {
		if got := NextGeneration(c.previous, c.minted); got != c.want {
			t.Errorf("%s: NextGeneration(%d, %v) = %d, want %d", c.what, c.previous, c.minted, got, c.want)
		}
	}
}
