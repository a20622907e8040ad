package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestAgentDefaults(t *testing.T) {
	set(t, nil)
	cfg, err := ReadAgent()
	if err != nil {
		t.Fatal(err)
	}
	want := Agent{Addr: "127.0.0.1:9403", APIBases: []string{"https://api.weixin.qq.com", "https://api2.weixin.qq.com"}}
	want.Names.Bucket, want.Names.Prefix = "wx_token", "wx.token"
	want.NATS.URL, want.NATS.Password = "nats://127.0.0.1:4222", cfg.NATS.Password
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got  %+v\nwant %+v", cfg, want)
	}
}

func TestAgentLists(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(keys, []byte(`{"wx1":"0123456789abcdef"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	set(t, map[string]string{
		"WX_APPIDS": " wx1, wx2,", "WX_AGENT_HOSTS": "Agent,agent.internal", "WX_AGENT_KEYS": keys,
		"WX_AGENT_ADDR": "0.0.0.0:9403", "WX_AGENT_ALLOW_REMOTE": "true",
	})
	cfg, err := ReadAgent()
	if err != nil || strings.Join(cfg.AppIDs, "+") != "wx1+wx2" || strings.Join(cfg.Hosts, "+") != "agent+agent.internal" || cfg.Keys["wx1"].Reveal() != "0123456789abcdef" {
		t.Errorf("got %+v, %v", cfg, err)
	}
}

func TestMistakesOfTheAgentAreNamedAllAtOnce(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(keys, []byte(`{"wx1":"hunter2","wx 2":"hunter2hunter2hunter2"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	set(t, map[string]string{
		"WX_AGENT_ADDR": ":9403", "WX_AGENT_HOSTS": "agent:9403", "WX_APPIDS": "wx1,wx 2,wx1", "WX_AGENT_KEYS": keys,
		"WX_API_BASE": "http://api.weixin.qq.com", "WX_API_ALLOW_HTTP": "perhaps", "WX_BUCKET": "a.b", "WX_LOG_LEVEL": "loud",
	})
	_, err := ReadAgent()
	var wrong *Error
	if !errors.As(err, &wrong) {
		t.Fatalf("got %v", err)
	}
	for _, text := range []string{"WX_AGENT_ADDR: ", "WX_AGENT_ALLOW_REMOTE=true", "WX_AGENT_HOSTS: ", `appid "wx 2"`, "wx1 is there twice", "WX_AGENT_KEYS: ", "shorter", "WX_API_BASE: ", "WX_API_ALLOW_HTTP: ", "WX_BUCKET: ", "WX_LOG_LEVEL: "} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("doesn't say %s: %v", text, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a key is shown: %v", err)
	}
}

func TestAgentListensNearby(t *testing.T) {
	for addr, ok := range map[string]bool{
		"127.0.0.1:0": true, "localhost:9403": true, "[::1]:9403": true, "unix:/run/wxtoken.sock": true,
		"0.0.0.0:9403": false, "10.0.0.1:9403": false, "unix:relative": false, "9403": false,
	} {
		set(t, map[string]string{"WX_AGENT_ADDR": addr})
		if _, err := ReadAgent(); (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
