package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// Account is one account and what is needed to mint for it.
type Account struct {
	AppID    string
	Secret   secret.String
	Endpoint wechat.Endpoint
}

// Equal tells whether b is the same account with the same secret and endpoint.
func (a Account) Equal(b Account) bool {
	return a.AppID == b.AppID && a.Endpoint == b.Endpoint && a.Secret.Equal(b.Secret)
}

// accounts reads the one account of the variables, or the many of the file.
func (v AccountVars) accounts(m *mistakes) []Account {
	endpoint, err := wechat.ParseEndpoint(v.Endpoint)
	if err != nil {
		m.add("WX_ENDPOINT", "%w", err)
	}
	single := v.AppID != "" || v.Secret != "" || v.SecretFile != ""
	switch {
	case v.AccountsFile != "" && single:
		m.add("WX_ACCOUNTS_FILE", "is set beside WX_APPID, WX_SECRET or WX_SECRET_FILE: use one way or the other")
	case v.AccountsFile != "":
		accounts, err := readAccounts(v.AccountsFile, endpoint)
		if err != nil {
			m.add("WX_ACCOUNTS_FILE", "%w", err)
		}
		return accounts
	case !single:
		m.add("WX_APPID", "no account: set WX_APPID and WX_SECRET (or WX_SECRET_FILE), or WX_ACCOUNTS_FILE; `wxtoken demo` needs none")
	default:
		return []Account{v.account(m, endpoint)}
	}
	return nil
}

func (v AccountVars) account(m *mistakes, endpoint wechat.Endpoint) Account {
	if v.AppID == "" {
		m.add("WX_APPID", "want the AppID that the AppSecret belongs to")
	} else if err := wire.CheckAppID(v.AppID); err != nil {
		m.add("WX_APPID", "%w", err)
	}
	appSecret, err := readSecret(v.Secret, v.SecretFile)
	if err != nil {
		m.add("WX_SECRET", "%w", err)
	}
	return Account{AppID: v.AppID, Secret: appSecret, Endpoint: endpoint}
}

// readSecret takes a secret that is given either itself or as a file. White space around it is no part of it.
func readSecret(text, file string) (secret.String, error) {
	switch {
	case text != "" && file != "":
		return secret.String{}, errors.New("the secret and a file of it are both set: use one of them")
	case file != "":
		data, err := os.ReadFile(file)
		if err != nil {
			return secret.String{}, fmt.Errorf("secret file: %w", err)
		}
		text = string(data)
		if strings.TrimSpace(text) == "" {
			return secret.String{}, fmt.Errorf("secret file %s is empty", file)
		}
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return secret.String{}, errors.New("no AppSecret: set it, or a file that holds it")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return secret.String{}, errors.New("the AppSecret holds characters that none has: is it the right text?")
	}
	return secret.New(text), nil
}

type accountEntry struct {
	AppID      string `json:"appid"`
	Secret     string `json:"secret"`
	SecretFile string `json:"secret_file"`
	Endpoint   string `json:"endpoint"`
}

// AccountsFile is a file of accounts, or of one account's secret, which may change while the publisher runs.
type AccountsFile struct {
	Path     string          // empty if there is none: the secret itself was given
	Endpoint wechat.Endpoint // of entries that name none
	AppID    string          // if the file holds nothing but its secret
}

// Read reads the file. An error names every mistake in it, and shows no secret.
func (f AccountsFile) Read() ([]Account, error) {
	if f.AppID == "" {
		return readAccounts(f.Path, f.Endpoint)
	}
	appSecret, err := readSecret("", f.Path)
	if err != nil {
		return nil, err
	}
	return []Account{{AppID: f.AppID, Secret: appSecret, Endpoint: f.Endpoint}}, nil
}

// file is where accounts come from, if that is a file.
func (v AccountVars) file() AccountsFile {
	endpoint := wechat.Endpoint(v.Endpoint)
	switch {
	case v.AccountsFile != "":
		return AccountsFile{Path: v.AccountsFile, Endpoint: endpoint}
	case v.SecretFile != "":
		return AccountsFile{Path: v.SecretFile, Endpoint: endpoint, AppID: v.AppID}
	}
	return AccountsFile{}
}

// readAccounts reads a file of accounts. Its errors name the line or the entry, and show no secret.
func readAccounts(path string, otherwise wechat.Endpoint) ([]Account, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	entries, err := decodeEntries(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	accounts := make([]Account, 0, len(entries))
	seen := make(map[string]int, len(entries))
	var problems []error
	for i, e := range entries {
		a, err := e.account(otherwise)
		if first, again := seen[a.AppID]; again && err == nil {
			err = fmt.Errorf("is entry %d again", first)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: entry %d (appid %.64q): %w", path, i+1, e.AppID, err))
			continue
		}
		seen[a.AppID] = i + 1
		accounts = append(accounts, a)
	}
	if len(entries) == 0 {
		problems = append(problems, fmt.Errorf("%s: holds no account", path))
	}
	return accounts, errors.Join(problems...)
}

func (e accountEntry) account(otherwise wechat.Endpoint) (Account, error) {
	a := Account{AppID: e.AppID, Endpoint: otherwise}
	problems := []error{wire.CheckAppID(e.AppID)}
	appSecret, err := readSecret(e.Secret, e.SecretFile)
	a.Secret = appSecret
	problems = append(problems, err)
	if e.Endpoint != "" {
		a.Endpoint, err = wechat.ParseEndpoint(e.Endpoint)
		problems = append(problems, err)
	}
	return a, errors.Join(problems...)
}

func decodeEntries(data []byte) ([]accountEntry, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var entries []accountEntry
	if err := d.Decode(&entries); err != nil {
		return nil, fmt.Errorf("line %d: %w", lineAt(data, offsetOf(err, d)), safeJSONError(err))
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("line %d: something follows the list", lineAt(data, d.InputOffset()))
	}
	return entries, nil
}

func offsetOf(err error, d *json.Decoder) int64 {
	if syntax, is := errors.AsType[*json.SyntaxError](err); is {
		return syntax.Offset
	}
	if wrongType, is := errors.AsType[*json.UnmarshalTypeError](err); is {
		return wrongType.Offset
	}
	return d.InputOffset()
}

// safeJSONError words err without anything of the file that could be a secret.
func safeJSONError(err error) error {
	if wrongType, is := errors.AsType[*json.UnmarshalTypeError](err); is {
		return fmt.Errorf("field %q: want a %s", wrongType.Field, wrongType.Type)
	}
	if _, is := errors.AsType[*json.SyntaxError](err); is {
		return errors.New("not valid JSON")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON ends too early")
	}
	return errors.New(`want a list of {"appid":…,"secret" or "secret_file":…,"endpoint":…}, with no other fields`)
}

func lineAt(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(int(offset), len(data))], []byte("\n"))
}
