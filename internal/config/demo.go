package config

import (
	"io"
	"os"
	"time"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// demoVars are all that the demo reads: it needs none of them.
type demoVars struct {
	EmbeddedAddr string `envconfig:"WX_EMBEDDED_ADDR" default:"127.0.0.1:4222" desc:"where the embedded NATS server listens"`
	SimAddr      string `envconfig:"WX_SIM_ADDR" default:"127.0.0.1:9401" desc:"where the simulated WeChat listens"`
	AccountVars
	HTTPVars
	LogLevel string `envconfig:"WX_LOG_LEVEL" default:"error" desc:"of what is logged beside the show: debug, info, warn or error"`
}

// What the simulated account of the demo is like.
const (
	demoAppID         = "wx0123456789abcdef"
	demoSecret        = "secret"
	demoTokenLife     = time.Minute
	demoManualRefresh = 5 * time.Second // instead of 30 s: its tokens are short, and people try things out
)

// Demo configures `wxtoken demo`: a publisher with an embedded server, and the simulator unless an account is set.
type Demo struct {
	Publisher Publisher
	Simulator *Simulator // nil: the account is real
}

// ReadDemo reads the environment. The data folder is the caller's to make. Its error is an *Error.
func ReadDemo() (Demo, error) {
	var v demoVars
	read(&v)
	var m mistakes
	var refresh RefreshVars
	read(&refresh)
	host := m.address("WX_EMBEDDED_ADDR", v.EmbeddedAddr)
	if !isLoopback(host) {
		m.add("WX_EMBEDDED_ADDR", "%s: the demo asks nobody for a password, so it listens on loopback only", v.EmbeddedAddr)
	}
	d := Demo{Publisher: Publisher{
		Names:    wire.DefaultNames(),
		Replicas: 1,
		Embedded: bus.EmbeddedConfig{Addr: v.EmbeddedAddr},
		HTTP:     v.http(&m),
		Log:      Log{Level: m.level(v.LogLevel)},
	}}
	refresh.read(&m, &d.Publisher)
	if v.AppID == "" && v.Secret == "" && v.SecretFile == "" && v.AccountsFile == "" {
		d.simulate(&m, v)
	} else {
		allowHTTP := m.boolean("WX_API_ALLOW_HTTP", v.APIAllowHTTP)
		d.Publisher.Accounts = v.accounts(&m)
		d.Publisher.APIBases = m.bases("WX_API_BASE", v.APIBase, allowHTTP)
	}
	return d, m.err()
}

func (d *Demo) simulate(m *mistakes, v demoVars) {
	host := m.address("WX_SIM_ADDR", v.SimAddr)
	if !isLoopback(host) {
		m.add("WX_SIM_ADDR", "%s: the simulator gives out tokens to anybody, so the demo has it on loopback only", v.SimAddr)
	}
	v.AppID, v.Secret = demoAppID, demoSecret
	d.Publisher.Accounts = v.accounts(m)
	d.Publisher.MinRefreshInterval = demoManualRefresh
	d.Simulator = &Simulator{Addr: v.SimAddr, ExpiresIn: demoTokenLife, Accounts: d.Publisher.Accounts, Log: d.Publisher.Log}
}

// DemoUsage writes the table of ReadDemo's variables.
func DemoUsage(out io.Writer) error { return usage(out, &demoVars{}) }

// NATSURLIsSet tells whether the environment points the nats CLI at a server of its own.
func NATSURLIsSet() bool { return os.Getenv("NATS_URL") != "" || os.Getenv("NATS_CONTEXT") != "" }
