package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
)

const testSecret = "0123456789abcdef0123456789abcdef"

// set makes the environment exactly vars, as far as this package reads it.
func set(t *testing.T, vars map[string]string) {
	t.Helper()
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "WX_") || strings.HasPrefix(name, "NATS_") || name == "XDG_STATE_HOME" {
			t.Setenv(name, "") // registers the restoration
			os.Unsetenv(name)
		}
	}
	for name, value := range vars {
		t.Setenv(name, value)
	}
}

func TestPublisherDefaults(t *testing.T) {
	set(t, map[string]string{"WX_APPID": "wx0123456789abcdef", "WX_SECRET": testSecret, "XDG_STATE_HOME": "/var/state"})
	cfg, err := ReadPublisher()
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Accounts[0]; got.AppID != "wx0123456789abcdef" || got.Secret.Reveal() != testSecret || got.Endpoint != wechat.StableToken {
		t.Errorf("account: %+v", got)
	}
	cfg.Accounts = nil
	want := Publisher{
		APIBases:           []string{"https://api.weixin.qq.com", "https://api2.weixin.qq.com"},
		RefreshAhead:       5 * time.Minute,
		MinRefreshInterval: 30 * time.Second,
		HTTPTimeout:        5 * time.Second,
		LeaseTTL:           15 * time.Second,
		VerifyReports:      true,
		Replicas:           1,
	}
	want.Names.Bucket, want.Names.Prefix = "wx_token", "wx.token"
	want.Embedded.Addr, want.Embedded.DataDir = "127.0.0.1:4222", "/var/state/wxtoken"
	want.HTTP.Addr = "127.0.0.1:9402"
	want.NATS.Password, want.Embedded.Password = cfg.NATS.Password, cfg.Embedded.Password
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got  %+v\nwant %+v", cfg, want)
	}
}

func TestEmptyVariablesAreNotSet(t *testing.T) {
	set(t, map[string]string{"WX_APPID": "wx1", "WX_SECRET": testSecret, "WX_REFRESH_AHEAD": "", "WX_BUCKET": "", "NATS_URL": ""})
	cfg, err := ReadPublisher()
	if err != nil || cfg.RefreshAhead != 5*time.Minute || cfg.Names.Bucket != "wx_token" {
		t.Errorf("got %+v, %v", cfg, err)
	}
}

func TestMistakesAreNamedAllAtOnceWithoutSecrets(t *testing.T) {
	set(t, map[string]string{
		"WX_APPID": "wx 1", "WX_SECRET": testSecret + "\x01", "WX_ENDPOINT": "both", "WX_API_BASE": "http://api.weixin.qq.com,ftp://x,https://u:hunter2@h",
		"WX_API_ALLOW_HTTP": "perhaps", "WX_REFRESH_AHEAD": "300", "WX_REFRESH_EVERY": "1ms", "WX_INITIAL_DELAY": "-1s",
		"WX_MIN_REFRESH_INTERVAL": "soon", "WX_VERIFY_REPORTS": "y", "WX_HTTP_TIMEOUT": "20ms", "WX_LEASE_TTL": "1500ms",
		"WX_BUCKET": "a.b", "WX_SUBJECT_PREFIX": "wx..token", "WX_REPLICAS": "9", "WX_EMBEDDED_ADDR": "0.0.0.0:4222",
		"WX_LOG_LEVEL": "loud", "WX_LOG_FORMAT": "xml", "NATS_PASSWORD": "hunter2",
	})
	_, err := ReadPublisher()
	var wrong *Error
	if !errors.As(err, &wrong) {
		t.Fatalf("got %v", err)
	}
	for _, name := range []string{
		"WX_APPID", "WX_SECRET", "WX_ENDPOINT", "WX_API_BASE", "WX_API_ALLOW_HTTP", "WX_REFRESH_AHEAD", "WX_REFRESH_EVERY", "WX_INITIAL_DELAY",
		"WX_MIN_REFRESH_INTERVAL", "WX_VERIFY_REPORTS", "WX_LEASE_TTL", "WX_HTTP_TIMEOUT", "WX_BUCKET", "WX_SUBJECT_PREFIX", "WX_REPLICAS", "WX_EMBEDDED_ADDR",
		"WX_LOG_LEVEL", "WX_LOG_FORMAT",
	} {
		if !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%s is not named", name)
		}
	}
	for _, private := range []string{testSecret, "hunter2"} {
		if strings.Contains(err.Error(), private) {
			t.Errorf("a secret is shown: %v", err)
		}
	}
}

func TestOneMistakeOfThePublisher(t *testing.T) {
	account := map[string]string{"WX_APPID": "wx1", "WX_SECRET": testSecret}
	for name, c := range map[string]struct {
		vars map[string]string
		want string
	}{
		"no account":             {map[string]string{"WX_APPID": "", "WX_SECRET": ""}, "WX_APPID: no account"},
		"no appid":               {map[string]string{"WX_APPID": ""}, "WX_APPID: want the AppID"},
		"no secret":              {map[string]string{"WX_SECRET": ""}, "WX_SECRET: no AppSecret"},
		"two secrets":            {map[string]string{"WX_SECRET_FILE": "/x"}, "both set"},
		"secret file missing":    {map[string]string{"WX_SECRET": "", "WX_SECRET_FILE": "/nowhere/secret"}, "/nowhere/secret"},
		"accounts two ways":      {map[string]string{"WX_ACCOUNTS_FILE": "/x"}, "one way or the other"},
		"accounts file missing":  {map[string]string{"WX_APPID": "", "WX_SECRET": "", "WX_ACCOUNTS_FILE": "/nowhere/a.json"}, "/nowhere/a.json"},
		"http to the world":      {map[string]string{"WX_API_BASE": "http://api.weixin.qq.com"}, "WX_API_ALLOW_HTTP"},
		"lease below the call":   {map[string]string{"WX_LEASE_TTL": "5s"}, "WX_HTTP_TIMEOUT"},
		"lease above the window": {map[string]string{"WX_REFRESH_AHEAD": "10s"}, "WX_LEASE_TTL"},
		"replicas without URL":   {map[string]string{"WX_REPLICAS": "3"}, "NATS_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			set(t, account)
			for k, v := range c.vars {
				t.Setenv(k, v)
			}
			_, err := ReadPublisher()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want … %s …", err, c.want)
			}
		})
	}
}

func TestOpenToTheWorldNeedsAPassword(t *testing.T) {
	set(t, map[string]string{"WX_APPID": "wx1", "WX_SECRET": testSecret, "WX_EMBEDDED_ADDR": "0.0.0.0:4222", "NATS_USER": "u", "NATS_PASSWORD": "p"})
	cfg, err := ReadPublisher()
	if err != nil || cfg.Embedded.User != "u" || cfg.Embedded.Password.Reveal() != "p" {
		t.Errorf("got %+v, %v", cfg.Embedded, err)
	}
}

func TestLoopbackMayUseHTTP(t *testing.T) {
	for base, ok := range map[string]bool{
		"http://127.0.0.1:9401": true, "http://localhost:9401/": true, "http://[::1]:9401": true, "http://127.evil.example": false, "http://10.0.0.1": false,
	} {
		set(t, map[string]string{"WX_APPID": "wx1", "WX_SECRET": testSecret, "WX_API_BASE": base})
		if _, err := ReadPublisher(); (err == nil) != ok {
			t.Errorf("%s: %v", base, err)
		}
	}
	set(t, map[string]string{"WX_APPID": "wx1", "WX_SECRET": testSecret, "WX_API_BASE": "http://simulator:9401", "WX_API_ALLOW_HTTP": "true"})
	if cfg, err := ReadPublisher(); err != nil || cfg.APIBases[0] != "http://simulator:9401" {
		t.Errorf("allowed http: %v, %v", cfg.APIBases, err)
	}
}

func TestSecretFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(testSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	set(t, map[string]string{"WX_APPID": "wx1", "WX_SECRET_FILE": file})
	cfg, err := ReadPublisher()
	if err != nil || cfg.Accounts[0].Secret.Reveal() != testSecret {
		t.Errorf("got %v", err)
	}
}

func TestAccountsFile(t *testing.T) {
	dir := t.TempDir()
	secretFile := filepath.Join(dir, "s2")
	if err := os.WriteFile(secretFile, []byte(" "+testSecret+"2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text string
		want string // in the error; empty: it is good
	}{
		"good":           {`[{"appid":"wx1","secret":"` + testSecret + `"},{"appid":"wx2","secret_file":"` + secretFile + `","endpoint":"token"}]`, ""},
		"empty":          {``, "ends too early"},
		"no accounts":    {`[]`, "holds no account"},
		"not JSON":       {"[\n{\"appid\":\"wx1\",\n\"secret\":" + testSecret + "}]", "line 3"},
		"cut off":        {`[{"appid":"wx1","secret":"` + testSecret, "ends too early"},
		"unknown field":  {`[{"appid":"wx1","secert":"` + testSecret + `"}]`, "no other fields"},
		"wrong type":     {`[{"appid":"wx1","secret":["` + testSecret + `"]}]`, `"secret": want a string`},
		"not a list":     {`{"appid":"wx1","secret":"` + testSecret + `"}`, "line 1"},
		"twice":          {`[{"appid":"wx1","secret":"` + testSecret + `"},{"appid":"wx1","secret":"` + testSecret + `"}]`, "entry 2"},
		"bad appid":      {`[{"appid":"wx 1","secret":"` + testSecret + `"}]`, "entry 1"},
		"no secret":      {`[{"appid":"wx1"}]`, "no AppSecret"},
		"bad endpoint":   {`[{"appid":"wx1","secret":"` + testSecret + `","endpoint":"x"}]`, "entry 1"},
		"something more": {`[{"appid":"wx1","secret":"` + testSecret + `"}] []`, "follows"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, "accounts.json")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			set(t, map[string]string{"WX_ACCOUNTS_FILE": file})
			cfg, err := ReadPublisher()
			if c.want == "" {
				if err != nil || len(cfg.Accounts) != 2 || cfg.Accounts[1].Secret.Reveal() != testSecret+"2" || cfg.Accounts[1].Endpoint != wechat.PlainToken {
					t.Errorf("got %+v, %v", cfg.Accounts, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want … %s …", err, c.want)
			}
			if strings.Contains(err.Error(), testSecret) {
				t.Errorf("a secret is shown: %v", err)
			}
		})
	}
}

func TestSimulator(t *testing.T) {
	set(t, map[string]string{"WX_SIM_EXPIRES_IN": "6", "WX_SIM_ACCOUNTS": "wx1:a, wx2:b:c"})
	cfg, err := ReadSimulator()
	if err != nil || cfg.ExpiresIn != 6*time.Second || len(cfg.Accounts) != 2 || cfg.Accounts[1].Secret.Reveal() != "b:c" {
		t.Errorf("got %+v, %v", cfg, err)
	}
	set(t, map[string]string{"WX_SIM_EXPIRES_IN": "0", "WX_SIM_ACCOUNTS": "wx1", "WX_SIM_ADDR": "9401"})
	if _, err := ReadSimulator(); err == nil || strings.Count(err.Error(), "WX_SIM_") != 3 {
		t.Errorf("got %v, want three mistakes", err)
	}
}

func TestDemoNeedsNothing(t *testing.T) {
	set(t, nil)
	d, err := ReadDemo()
	if err != nil || d.Simulator == nil || d.Publisher.Accounts[0].AppID != demoAppID || d.Simulator.ExpiresIn != time.Minute ||
		d.Publisher.HTTP != (HTTP{Addr: "127.0.0.1:9402"}) {
		t.Errorf("got %+v, %v", d, err)
	}
	set(t, map[string]string{"WX_EMBEDDED_ADDR": "0.0.0.0:1", "WX_SIM_ADDR": "0.0.0.0:1"})
	if _, err := ReadDemo(); err == nil || !strings.Contains(err.Error(), "WX_EMBEDDED_ADDR") || !strings.Contains(err.Error(), "WX_SIM_ADDR") {
		t.Errorf("listens to the world: %v", err)
	}
}

func TestDemoWithARealAccount(t *testing.T) {
	set(t, map[string]string{"WX_APPID": "wx1", "WX_SECRET": testSecret})
	d, err := ReadDemo()
	if err != nil || d.Simulator != nil || d.Publisher.APIBases[0] != "https://api.weixin.qq.com" {
		t.Errorf("got %+v, %v", d, err)
	}
}

// Every variable that a command reads stands in its table, with a default that its reader accepts.
func TestUsageNamesEveryVariable(t *testing.T) {
	for name, c := range map[string]struct {
		usage func(*strings.Builder) error
		vars  any
	}{
		"publisher": {func(b *strings.Builder) error { return PublisherUsage(b) }, publisherVars{}},
		"simulator": {func(b *strings.Builder) error { return SimulatorUsage(b) }, simulatorOnlyVars{}},
		"demo":      {func(b *strings.Builder) error { return DemoUsage(b) }, demoVars{}},
	} {
		var table strings.Builder
		if err := c.usage(&table); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, field := range reflect.VisibleFields(reflect.TypeOf(c.vars)) {
			if variable := field.Tag.Get("envconfig"); !strings.Contains(table.String(), variable) {
				t.Errorf("%s: the table lacks %s", name, variable)
			}
			if !field.Anonymous && field.Tag.Get("desc") == "" {
				t.Errorf("%s: %s is not explained", name, field.Name)
			}
		}
	}
}
