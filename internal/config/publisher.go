package config

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// Publisher configures `wxtoken publisher`.
type Publisher struct {
	Accounts     []Account
	AccountsFile AccountsFile // where they were read; zero if the secret is in a variable
	APIBases     []string

	RefreshAhead, RefreshEvery, InitialDelay, MinRefreshInterval time.Duration
	HTTPTimeout, LeaseTTL                                        time.Duration
	VerifyReports                                                bool

	Names    wire.Names
	Replicas int
	NATS     bus.Login          // URL is empty if the embedded server is to run
	Embedded bus.EmbeddedConfig // for then
	HTTP     HTTP
	Log      Log
}

// HTTP says where to serve the status page, health and metrics.
type HTTP struct {
	Addr   string // empty = nowhere
	Chosen bool   // it isn't the default
}

// ReadPublisher reads the environment. Its error is an *Error.
func ReadPublisher() (Publisher, error) {
	var v publisherVars
	read(&v)
	var m mistakes
	allowHTTP := m.boolean("WX_API_ALLOW_HTTP", v.APIAllowHTTP)
	cfg := Publisher{
		Accounts:     v.accounts(&m),
		AccountsFile: v.file(),
		APIBases:     m.bases("WX_API_BASE", v.APIBase, allowHTTP),
		Names:        v.names(&m),
		Replicas:     m.integer("WX_REPLICAS", v.Replicas, 1, 5),
		NATS:         v.login(),
		HTTP:         v.http(&m),
		Log:          v.log(&m),
	}
	v.RefreshVars.read(&m, &cfg)
	if cfg.NATS.URL == "" {
		cfg.Embedded = v.embedded(&m, cfg.NATS)
		if cfg.Replicas > 1 {
			m.add("WX_REPLICAS", "%d replicas need a cluster: set NATS_URL, or leave it at 1 with the embedded server", cfg.Replicas)
		}
	}
	return cfg, m.err()
}

func (v RefreshVars) read(m *mistakes, cfg *Publisher) {
	before := len(*m)
	cfg.RefreshAhead = m.duration("WX_REFRESH_AHEAD", v.RefreshAhead, time.Second)
	cfg.RefreshEvery = m.duration("WX_REFRESH_EVERY", v.RefreshEvery, 0)
	cfg.InitialDelay = m.duration("WX_INITIAL_DELAY", v.InitialDelay, 0)
	cfg.MinRefreshInterval = m.duration("WX_MIN_REFRESH_INTERVAL", v.MinRefreshInterval, 0)
	cfg.VerifyReports = m.boolean("WX_VERIFY_REPORTS", v.VerifyReports)
	cfg.HTTPTimeout = m.duration("WX_HTTP_TIMEOUT", v.HTTPTimeout, 100*time.Millisecond)
	cfg.LeaseTTL = m.duration("WX_LEASE_TTL", v.LeaseTTL, 2*time.Second)
	if cfg.RefreshEvery != 0 && cfg.RefreshEvery < time.Second {
		m.add("WX_REFRESH_EVERY", "%v: want 0 or at least 1s", cfg.RefreshEvery)
	}
	if len(*m) == before {
		cfg.checkLease(m)
	}
}

// checkLease checks that a call ends before its lease, and a dead publisher's lease before the token that it should have
// refreshed: HTTP timeout < lease < refresh ahead.
func (cfg *Publisher) checkLease(m *mistakes) {
	if cfg.LeaseTTL%time.Second != 0 {
		m.add("WX_LEASE_TTL", "%v: want whole seconds", cfg.LeaseTTL)
	}
	if cfg.LeaseTTL < cfg.HTTPTimeout+time.Second {
		m.add("WX_LEASE_TTL", "%v: want at least WX_HTTP_TIMEOUT (%v) + 1s, or a mint could outlive its lease", cfg.LeaseTTL, cfg.HTTPTimeout)
	}
	if cfg.RefreshAhead <= cfg.LeaseTTL {
		m.add("WX_REFRESH_AHEAD", "%v: want more than WX_LEASE_TTL (%v), or a publisher that dies could cost a gap", cfg.RefreshAhead, cfg.LeaseTTL)
	}
}

func (v NamesVars) names(m *mistakes) wire.Names {
	names := wire.Names{Bucket: v.Bucket, Prefix: v.SubjectPrefix}
	if err := (wire.Names{Bucket: v.Bucket, Prefix: wire.DefaultPrefix}).Check(); err != nil {
		m.add("WX_BUCKET", "%w", err)
	}
	if err := (wire.Names{Bucket: wire.DefaultBucket, Prefix: v.SubjectPrefix}).Check(); err != nil {
		m.add("WX_SUBJECT_PREFIX", "%w", err)
	}
	return names
}

func (v NATSVars) login() bus.Login {
	return bus.Login{
		URL: v.URL, User: v.User, Password: secret.New(v.Password),
		Creds: v.Creds, NKey: v.NKey, Cert: v.Cert, Key: v.Key, CA: v.CA, InboxPrefix: v.InboxPrefix,
	}
}

func (v EmbeddedVars) embedded(m *mistakes, login bus.Login) bus.EmbeddedConfig {
	host := m.address("WX_EMBEDDED_ADDR", v.EmbeddedAddr)
	if !isLoopback(host) && (login.User == "" || login.Password.IsZero()) {
		m.add("WX_EMBEDDED_ADDR", "%s is reachable from other machines: set NATS_USER and NATS_PASSWORD too, which the embedded server then demands of everyone", v.EmbeddedAddr)
	}
	return bus.EmbeddedConfig{Addr: v.EmbeddedAddr, DataDir: v.dataDir(m), User: login.User, Password: login.Password}
}

func (v EmbeddedVars) dataDir(m *mistakes) string {
	if v.DataDir != "" {
		return v.DataDir
	}
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // the XDG specification has relative ones ignored
		home, err := os.UserHomeDir()
		if err != nil {
			m.add("WX_DATA_DIR", "no home folder to store in: set it")
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "wxtoken")
}

// http reads the one variable for which empty means something.
func (v HTTPVars) http(m *mistakes) HTTP {
	addr, isSet := os.LookupEnv("WX_HTTP_ADDR")
	if isSet && addr == "" {
		return HTTP{}
	}
	m.address("WX_HTTP_ADDR", v.HTTPAddr)
	return HTTP{Addr: v.HTTPAddr, Chosen: isSet}
}

// PublisherUsage writes the table of ReadPublisher's variables.
func PublisherUsage(out io.Writer) error { return usage(out, &publisherVars{}) }

// Log says how to log.
type Log struct {
	Level slog.Level
	JSON  bool
}

func (v LogVars) log(m *mistakes) Log {
	return Log{Level: m.level(v.LogLevel), JSON: m.choice("WX_LOG_FORMAT", v.LogFormat, "text", "json") == "json"}
}

func (m *mistakes) level(text string) (level slog.Level) {
	text = m.choice("WX_LOG_LEVEL", text, "info", "debug", "warn", "error")
	_ = level.UnmarshalText([]byte(text)) // one of the four
	return level
}

// Logger writes to out.
func (l Log) Logger(out io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.Level}
	if l.JSON {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
