package wire

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// This file needs no other test file but fuzz_test.go, so that .ci/fuzz can build it without them.

// checkFlat checks that parseFlat gives what encoding/json gives, if it gives anything, and tells whether it does.
func checkFlat(t *testing.T, data []byte) (ok bool) {
	t.Helper()
	got, ok := parseFlat(data)
	if !ok {
		return false
	}
	var want jsonValue
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatalf("accepted what is %v: %q", err, data)
	}
	want.ID = ""                                                          // which nobody reads
	got.MintedAt, want.MintedAt = got.MintedAt.UTC(), want.MintedAt.UTC() // of two equal zones
	got.ExpiresAt, want.ExpiresAt = got.ExpiresAt.UTC(), want.ExpiresAt.UTC()
	if got != want {
		t.Fatalf("read\n%+v, want\n%+v, from %q", got, want, data)
	}
	return true
}

// isPlain tells whether data is printable ASCII without escapes.
func isPlain(data []byte) bool {
	return !bytes.ContainsFunc(data, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' })
}

// Values that were put together otherwise than by Encode: each three bytes are a change to a good one.
func FuzzFlatValue(f *testing.F) {
	f.Add([]byte{})
	for _, at := range []byte{0, 1, 2, 3, 4, 5, 19, 23, 51, 52} {
		for odd := range oddities() {
			f.Add([]byte{insert, at, byte(odd)})
			f.Add([]byte{replace, at, byte(odd)})
		}
		f.Add([]byte{remove, at, 0})
		f.Add([]byte{swap, at, 15, swap, 17, at})
		f.Add([]byte{repeat, 1, 4, repeat, at, 5})
		f.Add([]byte{spell, at, 'Z', spell, 8, 0x83})
	}
	whole := regexp.MustCompile(`"[^"]*"|[0-9]+|.`).FindAllString(fuzzValue, -1)
	f.Fuzz(func(t *testing.T, changes []byte) {
		tokens := slices.Clone(whole)
		for change := range slices.Chunk(changes[:min(len(changes), 60)], 3) {
			if len(change) == 3 && len(tokens) > 0 {
				tokens = changed(tokens, change[0], int(change[1])%len(tokens), change[2])
			}
		}
		checkFlat(t, []byte(strings.Join(tokens, "")))
	})
}

const (
	insert = iota
	replace
	remove
	swap
	repeat
	spell
	changes
)

// changed changes one of the tokens of a JSON text.
func changed(tokens []string, how byte, at int, with byte) []string {
	odd := oddities()
	other := int(with) % len(tokens)
	switch how % changes {
	case insert:
		return slices.Insert(tokens, at+1, odd[int(with)%len(odd)])
	case replace:
		tokens[at] = odd[int(with)%len(odd)]
	case remove:
		return slices.Delete(tokens, at, at+1)
	case swap:
		tokens[at], tokens[other] = tokens[other], tokens[at]
	case repeat: // a few tokens, of which four are a field
		return slices.Insert(tokens, at, slices.Clone(tokens[at:min(at+int(with%8), len(tokens))])...)
	case spell:
		tokens[at] = respelt(tokens[at], with)
	}
	return tokens
}

// respelt changes the case of a letter, or makes another byte of it.
func respelt(token string, with byte) string {
	text := []byte(token)
	if at := int(with) % max(1, len(text)); with >= 0x80 && len(text) > 0 {
		text[at] ^= 0x20
	} else if len(text) > 1 {
		text[len(text)/2] = with
	}
	return string(text)
}

// oddities are tokens that make a value hard to read.
func oddities() []string {
	return []string{
		"", " ", "\n", "\x00", "\ufeff", ",", ":", "{", "}", "[", "]", "{}", "[1]", `"`, `\`, "null", "true", "nul",
		"0", "-0", "-1", "00", "01", "7.0", "1e3", "1E0", "+1", ".5", "0x1", "999999999999999999", "1000000000000000000",
		"9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
		`""`, `"7"`, `"\u0041"`, `"\n"`, `"a` + "\n" + `b"`, `"\ud800"`, `"<&>"`, `"ü"`, "\"\xff\"", "\"\x7f\"", `"unknown"`,
		`"id"`, `"ID"`, `"fence"`, `"Fence"`, `"expires_at"`, `"expireſ_at"`, `"\u0069d"`, `"appid"`, `"generation"`, `"Kind"`, "\"\u212aind\"",
		`"2026-11-22T17:30:00Z"`, `"2026-11-22T17:30:00+08:00"`, `"2026-11-22T7:30:00,5Z"`, `"2026-11-22t17:30:00z"`,
		`"2026-11-22T17:30:60Z"`, `"2026-11-22T17:30:00+24:60"`, `"2026-11-22T17:30:00.1234567890Z"`, `"2026-02-30T00:00:00Z"`,
		`"0000-01-01T00:00:00Z"`, `"9999-12-31T23:59:59-23:59"`, `"10000-01-01T00:00:00Z"`, `"2026-11-22 17:30:00Z"`, `"null"`,
	}
}
