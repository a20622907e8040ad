package wire

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// Were one of these left to encoding/json, all would go on as before, only slower.
func TestWhatPublishersWriteIsReadFast(t *testing.T) {
	golden, err := os.ReadFile("testdata/v1/value.json")
	if err != nil {
		t.Fatal(err)
	}
	first := example()
	first.PreviousID, first.Reason, first.Endpoint = "", ReasonStartup, "token"
	written, err := first.Encode()
	if err != nil {
		t.Fatal(err)
	}
	with := func(old, new string) []byte { return []byte(strings.Replace(exampleJSON, old, new, 1)) }
	for what, data := range map[string][]byte{
		"version 1":               bytes.TrimSpace(golden),
		"the contract's example":  []byte(exampleJSON),
		"the first of an account": written,
		"another order":           []byte(`{"fence":1,"generation":2,"expires_at":"2026-11-22T17:30:00Z","access_token":"x","appid":"wx1"}`),
		"few fields":              []byte(`{"expires_in":0}`),
		"all of printable ASCII":  with("host-a/4711", " !#$%&'()*+,-./0:;<=>?@A[]^_`a{|}~"),
		"an empty string":         with("host-a/4711", ""),
		"a time of another zone":  with("2026-11-22T17:30:00.123Z", "2026-11-23T01:30:00+08:00"),
		"the greatest number":     with("812", "999999999999999999"),
		"a fence of nothing":      with("812", "0"),
	} {
		if !checkFlat(t, data) {
			t.Errorf("%s is left to encoding/json: %s", what, data)
		}
	}
}

// Nor would it show if DecodeValue didn't try, but in what it allocates.
func TestDecodeValueReadsFast(t *testing.T) {
	data := []byte(exampleJSON)
	fast := testing.AllocsPerRun(100, func() { _, _ = DecodeValue(data) })
	slow := testing.AllocsPerRun(100, func() { _ = json.Unmarshal(data, &jsonValue{}) })
	if fast >= slow {
		t.Errorf("DecodeValue allocates %v times, encoding/json alone %v", fast, slow)
	}
}

func TestOddValuesAreLeftToEncodingJSON(t *testing.T) {
	for what, change := range map[string][2]string{
		"an unknown field":              {`{`, `{"v":2,`},
		"one in the middle":             {`"reason"`, `"note":"x","reason"`},
		"a name of another case":        {`"reason"`, `"Reason"`},
		"one that folds to it":          {`"reason"`, `"reaſon"`},
		"an escape in a name":           {`"reason"`, `"\u0072eason"`},
		"no name":                       {`"reason"`, `""`},
		"a field twice":                 {`"reason"`, `"kind":"access_token","reason"`},
		"a time twice":                  {`"reason"`, `"minted_at":"2026-11-22T15:30:00Z","reason"`},
		"the id twice":                  {`"reason"`, `"id":"x","reason"`},
		"a number twice":                {`"reason"`, `"fence":1,"reason"`},
		"an escape":                     {`host-a`, `host\u002da`},
		"an escaped quote":              {`host-a`, `host\"a`},
		"a control character":           {`host-a`, "host\ta"},
		"the last of ASCII":             {`host-a`, "host\x7fa"},
		"a letter beyond ASCII":         {`host-a`, "hóst-a"},
		"no UTF-8":                      {`host-a`, "host\xffa"},
		"null for a string":             {`"host-a/4711"`, `null`},
		"true":                          {`"host-a/4711"`, `true`},
		"a number for a string":         {`"host-a/4711"`, `4711`},
		"an object for a string":        {`"host-a/4711"`, `{}`},
		"an array for a string":         {`"host-a/4711"`, `[]`},
		"a string for a number":         {`7200`, `"7200"`},
		"null for a number":             {`7200`, `null`},
		"nothing for a number":          {`7200`, ``},
		"a fraction":                    {`7200`, `7200.0`},
		"an exponent":                   {`7200`, `72e2`},
		"a sign":                        {`7200`, `-7200`},
		"a leading zero":                {`7200`, `07200`},
		"no decimal":                    {`7200`, `0x7200`},
		"a long number":                 {`812`, `1000000000000000000`},
		"one beyond all":                {`812`, `18446744073709551616`},
		"null for a time":               {`"2026-11-22T17:30:00.123Z"`, `null`},
		"a number for a time":           {`"2026-11-22T17:30:00.123Z"`, `1795368600`},
		"no such time":                  {`2026-11-22T17:30`, `2026-11-31T17:30`},
		"an empty time":                 {`2026-11-22T17:30:00.123Z`, ``},
		"a space before":                {`{`, ` {`},
		"a space within":                {`:7200`, `: 7200`},
		"a line's end behind":           {`812}`, "812}\n"},
		"another value behind":          {`812}`, `812}{}`},
		"a comma behind the last field": {`812}`, `812,}`},
		"a comma first":                 {`{`, `{,`},
		"no comma":                      {`7200,`, `7200`},
		"no colon":                      {`:7200`, `7200`},
		"two colons":                    {`:7200`, `::7200`},
		"no first quote":                {`"host-a`, `host-a`},
		"no end":                        {`812}`, `812`},
		"no last digit":                 {`812}`, ``},
		"an array":                      {`{`, `[`},
	} {
		data := strings.Replace(exampleJSON, change[0], change[1], 1)
		if data == exampleJSON {
			t.Errorf("%s: %q isn't there", what, change[0])
		}
		if _, ok := parseFlat([]byte(data)); ok {
			t.Errorf("%s is not left to encoding/json: %s", what, data)
		}
	}
	for _, data := range []string{"", "{", "{}", `{"`, `{"fence"`, `{"fence":`, `{"fence":1`, `{"fence":1,`, `{"publisher":"`, "null", `"fence"`, "1", "[]"} {
		if _, ok := parseFlat([]byte(data)); ok {
			t.Errorf("%q is not left to encoding/json", data)
		}
	}
}

// Whoever may write may store anything. Read on behind each comma, this would take an hour.
func TestOddValuesAreGivenUpAtOnce(t *testing.T) {
	if _, ok := parseFlat([]byte("{" + strings.Repeat(",", 4<<20))); ok {
		t.Error("commas are a value")
	}
}
