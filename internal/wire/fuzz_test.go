package wire

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// This file needs no other test file but fuzz_flat_test.go, so that .ci/fuzz can build it without them.

const (
	fuzzToken = "84_vWP-private"
	fuzzValue = `{"appid":"wx0123456789abcdef","kind":"access_token","access_token":"` + fuzzToken + `","id":"9f86d081884c7d65",` +
		`"expires_in":7200,"minted_at":"2026-11-22T15:30:00.123Z","expires_at":"2026-11-22T17:30:00.123Z",` +
		`"reason":"scheduled","publisher":"host-a/4711","endpoint":"stable_token","previous_id":"60303ae22b998861","generation":1795361400123,"fence":812}`
)

// Stored values.
func FuzzDecodeValue(f *testing.F) {
	f.Add([]byte(fuzzValue))
	f.Add([]byte(""))
	f.Add([]byte("null"))
	f.Add([]byte(`{"appid":"wx1","access_token":"\ud800","expires_at":"2026-11-22T17:30:00+08:00","generation":1}`))
	for _, change := range []*strings.Replacer{
		strings.NewReplacer("7200", "9223372036854775807"), strings.NewReplacer("1795361400123", "18446744073709551615"),
		strings.NewReplacer("1795361400123", "9007199254740991"), strings.NewReplacer("wx0123456789abcdef", fuzzToken+"/"),
		strings.NewReplacer("2026-11-22T17:30:00.123Z", "9999-12-31T23:59:59-23:00"), strings.NewReplacer("2026-11-22T15:30:00.123Z", "0000-01-01T00:00:00+23:00"),
	} {
		f.Add([]byte(change.Replace(fuzzValue)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkFlat(t, data)
		v, err := DecodeValue(data)
		if err != nil {
			if v != (Value{}) || len(err.Error()) > 200 || strings.Contains(err.Error(), "84_") {
				t.Fatalf("DecodeValue = %+v, %v", v, err)
			}
			return
		}
		if CheckAppID(v.AppID) != nil || v.Token.IsZero() || v.ID != TokenID(v.Token.Reveal()) || v.ExpiresIn < 0 || v.ExpiresAt.IsZero() {
			t.Fatalf("accepted %+v", v)
		}
		if filepath.Base(v.AppID) != v.AppID || strings.ContainsAny(v.AppID, `.*> $/\`) { // it names files, keys and subjects
			t.Fatalf("accepted appid %q", v.AppID)
		}
		if v.Generation == 0 || v.Generation >= NextGeneration(v.Generation, v.MintedAt) || v.Generation == math.MaxUint64 {
			t.Fatalf("no token can follow generation %d", v.Generation)
		}
		checkStoredAgain(t, v)
	})
}

// checkStoredAgain checks that what was read can be put back, and is the same then: publishers do so when the store lost it.
func checkStoredAgain(t *testing.T, v Value) {
	t.Helper()
	data, err := v.Encode()
	if err != nil {
		t.Fatalf("%+v can't be stored again: %v", v, err)
	}
	again, err := DecodeValue(data)
	if err != nil {
		t.Fatalf("%+v, stored again, can't be read: %v", v, err)
	}
	if _, ok := parseFlat(data); !ok && isPlain(data) && v.Fence < 1e18 {
		t.Errorf("%+v, stored again, is left to encoding/json", v)
	}
	if !again.Token.Equal(v.Token) {
		t.Errorf("%+v: the token changed", v)
	}
	v.MintedAt, v.ExpiresAt, again.Token = v.MintedAt.Truncate(time.Millisecond), v.ExpiresAt.Truncate(time.Millisecond), v.Token
	if again != v {
		t.Errorf("%+v, stored again, is %+v", v, again)
	}
}

// Refresh requests.
func FuzzDecodeRequest(f *testing.F) {
	for _, data := range []string{"", `{"appid":"wx0123456789abcdef","id":"9f86d081884c7d65","errcode":42001,"client":"orders/pod-7"}`, `{"id":"` + fuzzToken + `"}`,
		`{"errcode":1e400}`, "null", "[]", `{"appid":{"a":["` + fuzzToken + `"]}}`, `{"client":"a\nb"}`, " {} ", `{"errcode":"` + fuzzToken + `"}`} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeRequest(data)
		if err != nil {
			if r != (Request{}) || len(err.Error()) > 200 || strings.Contains(err.Error(), "84_") || strings.ContainsAny(err.Error(), "\r\n") {
				t.Fatalf("DecodeRequest = %+v, %v", r, err)
			}
			return
		}
		if r.AppID != "" && CheckAppID(r.AppID) != nil || r.ID != "" && len(r.ID) != 16 || len(r.Client) > 64 || strings.ContainsAny(r.Client, "\r\n\x00\x1b") {
			t.Fatalf("accepted %+v", r)
		}
		sent, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := DecodeRequest(sent); err != nil || again != r {
			t.Fatalf("%+v, sent again, is %+v, %v", r, again, err)
		}
	})
}
