package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/httpd"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// localNATS is where a publisher's embedded server listens by default.
const localNATS = "nats://127.0.0.1:4222"

// Agent configures `wxtoken agent`.
type Agent struct {
	Addr     string
	Hosts    []string
	AppIDs   []string // none: all
	APIBases []string
	KeysFile string                   // empty: mint endpoints take any secret
	Keys     map[string]secret.String // what it held
	TokenDir string
	Names    wire.Names
	NATS     bus.Login
	Log      Log
}

// ReadAgent reads the environment. Its error is an *Error.
func ReadAgent() (Agent, error) {
	var v agentOnlyVars
	read(&v)
	var m mistakes
	cfg := Agent{
		Addr:     v.addr(&m),
		Hosts:    v.hosts(&m),
		AppIDs:   v.appids(&m),
		APIBases: m.bases("WX_API_BASE", v.APIBase, m.boolean("WX_API_ALLOW_HTTP", v.APIAllowHTTP)),
		KeysFile: v.AgentKeys,
		TokenDir: v.TokenDir,
		Names:    v.names(&m),
		NATS:     v.login(),
		Log:      v.log(&m),
	}
	if cfg.NATS.URL == "" {
		cfg.NATS.URL = localNATS
	}
	if cfg.KeysFile != "" {
		keys, err := ReadKeys(cfg.KeysFile)
		if err != nil {
			m.add("WX_AGENT_KEYS", "%w", err)
		}
		cfg.Keys = keys
	}
	return cfg, m.err()
}

func (v AgentVars) addr(m *mistakes) string {
	allowed := m.boolean("WX_AGENT_ALLOW_REMOTE", v.AllowRemote)
	err := httpd.CheckAddr(v.AgentAddr)
	switch {
	case err != nil:
		m.add("WX_AGENT_ADDR", "%w", err)
	case !allowed && !httpd.Local(v.AgentAddr):
		m.add("WX_AGENT_ADDR", "%s is reachable from other machines, who could then call WeChat as your accounts: use loopback or unix:/path, or set WX_AGENT_ALLOW_REMOTE=true", v.AgentAddr)
	}
	return v.AgentAddr
}

func (v AgentVars) hosts(m *mistakes) (hosts []string) {
	for _, host := range list(v.AgentHosts) {
		u, err := url.Parse("//" + host)
		if err != nil || u.Host != host || u.Port() != "" || strings.ContainsAny(host, "*@ ") {
			m.add("WX_AGENT_HOSTS", "%q: want names like agent.internal, without port", host)
			continue
		}
		hosts = append(hosts, strings.ToLower(host))
	}
	return hosts
}

func (v AgentVars) appids(m *mistakes) []string {
	seen := make(map[string]bool)
	appids := list(v.AppIDs)
	for _, appid := range appids {
		err := wire.CheckAppID(appid)
		if seen[appid] {
			err = fmt.Errorf("%s is there twice", appid)
		}
		if err != nil {
			m.add("WX_APPIDS", "%w", err)
		}
		seen[appid] = true
	}
	return appids
}

// list is what commas separate.
func list(text string) (parts []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// minKey is the least length of a key.
const minKey = 16

// ReadKeys reads a file of keys by appid. Its error names every mistake, and shows no key.
func ReadKeys(path string) (map[string]secret.String, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var entries map[string]string
	if err := json.Unmarshal(data, &entries); err != nil || len(entries) == 0 {
		return nil, fmt.Errorf(`%s: want JSON like {"wx0123456789abcdef":"a key of %d characters or more"}`, path, minKey)
	}
	keys := make(map[string]secret.String, len(entries))
	var problems []error
	for appid, key := range entries {
		problems = append(problems, wire.CheckAppID(appid))
		if len(key) < minKey {
			problems = append(problems, fmt.Errorf("the key of %.64q is shorter than %d characters", appid, minKey))
		}
		keys[appid] = secret.New(key)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// AgentUsage writes the table of ReadAgent's variables.
func AgentUsage(out io.Writer) error { return usage(out, &agentOnlyVars{}) }
