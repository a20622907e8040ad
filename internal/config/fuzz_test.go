package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// This file needs no other test file, so that .ci/fuzz can build it without them.

const fuzzSecret = "5ecr3t-0f-the-account"

// Files of accounts and of keys, and WX_SIM_ACCOUNTS.
func FuzzAccountsFile(f *testing.F) {
	for _, text := range []string{
		`[{"appid":"wx1","secret":"` + fuzzSecret + `"},{"appid":"wx2","secret":"` + fuzzSecret + `","endpoint":"token"}]`,
		`[{"appid":"wx1","secret":"` + fuzzSecret + `"},{"appid":"wx1","secret":"` + fuzzSecret + `"}]`,
		`[{"appid":"wx 1","secret":"` + fuzzSecret + ` 2","endpoint":"x"}] []`, `[{"appid":"wx1","secret_file":"accounts.json","secret":"s"}]`,
		`[{"appid":1}]`, "[\n{]", `[{"secret":{"a":["` + fuzzSecret + `"]}}]`, "[]", "null", `{"wx1":"` + fuzzSecret + `","wx2":"short"}`, `{"wx1":"` + fuzzSecret + `"}`,
		"wx1:" + fuzzSecret + ", wx2:" + fuzzSecret + ":b", "wx1:,:" + fuzzSecret, "[\n\n" + fuzzSecret,
	} {
		f.Add(text)
	}
	file := filepath.Join(f.TempDir(), "accounts.json")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "/dev") || strings.Contains(text, "/proc") {
			return // a secret_file without end
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		accounts, err := readAccounts(file, wechat.StableToken)
		checkShown(t, text, err)
		if err == nil {
			checkAccounts(t, accounts)
			checkReadAgain(t, file, accounts)
		}
		keys, err := ReadKeys(file)
		checkShown(t, text, err)
		if err == nil {
			checkKeys(t, keys)
		}
		var m mistakes
		simulated := SimulatorVars{SimAccounts: text}.accounts(&m)
		checkShown(t, text, m.err())
		if len(m) == 0 && len(simulated) != 1+strings.Count(text, ",") {
			t.Errorf("%q are %d accounts", text, len(simulated))
		}
		for _, a := range simulated {
			if wire.CheckAppID(a.AppID) != nil || a.Secret.IsZero() {
				t.Errorf("%q: took %+v", text, a)
			}
		}
	})
}

// checkShown checks that an error doesn't quote the secret, if that stands only where secrets do.
func checkShown(t *testing.T, text string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	inPlace := 0
	for _, before := range []string{`"secret":"`, `"wx1":"`, `"wx2":"`, "wx1:", "wx2:", `["`, "\n"} {
		inPlace += strings.Count(text, before+fuzzSecret)
	}
	if inPlace == strings.Count(text, fuzzSecret) && strings.Contains(err.Error(), fuzzSecret) {
		t.Errorf("%q: %v", text, err)
	}
}

func checkAccounts(t *testing.T, accounts []Account) {
	t.Helper()
	if len(accounts) == 0 {
		t.Error("no account and no error")
	}
	seen := make(map[string]bool)
	for _, a := range accounts {
		_, err := wechat.ParseEndpoint(string(a.Endpoint))
		unusable := strings.ContainsFunc(a.Secret.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' })
		if seen[a.AppID] || wire.CheckAppID(a.AppID) != nil || a.Secret.IsZero() || unusable || err != nil {
			t.Errorf("took %+v", a)
		}
		seen[a.AppID] = true
	}
}

// checkReadAgain writes the accounts as a file has them.
func checkReadAgain(t *testing.T, file string, accounts []Account) {
	t.Helper()
	var entries []accountEntry
	for _, a := range accounts {
		entries = append(entries, accountEntry{AppID: a.AppID, Secret: a.Secret.Reveal(), Endpoint: string(a.Endpoint)})
	}
	data, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := readAccounts(file, wechat.PlainToken)
	if err != nil || len(again) != len(accounts) {
		t.Fatalf("%d accounts are %d, %v", len(accounts), len(again), err)
	}
	for i, a := range accounts {
		if !again[i].Equal(a) {
			t.Errorf("%+v, written, is %+v", a, again[i])
		}
	}
}

func checkKeys(t *testing.T, keys map[string]secret.String) {
	t.Helper()
	if len(keys) == 0 {
		t.Error("no key and no error")
	}
	for appid, key := range keys {
		if wire.CheckAppID(appid) != nil || len(key.Reveal()) < minKey {
			t.Errorf("took a key of %d bytes for %q", len(key.Reveal()), appid)
		}
	}
}
