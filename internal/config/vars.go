package config

// The variables, in the groups that commands share. A default also holds where a variable is set but empty. The groups
// are exported because envconfig doesn't fill embedded structs that aren't.

// LogVars say how to log.
type LogVars struct {
	LogLevel  string `envconfig:"WX_LOG_LEVEL" default:"info" desc:"debug, info, warn or error"`
	LogFormat string `envconfig:"WX_LOG_FORMAT" default:"text" desc:"text or json"`
}

// AccountVars say whose tokens to mint, and where.
type AccountVars struct {
	AppID        string `envconfig:"WX_APPID" desc:"AppID of the account, if there is one"`
	Secret       string `envconfig:"WX_SECRET" desc:"its AppSecret"`
	SecretFile   string `envconfig:"WX_SECRET_FILE" desc:"or a file that holds it"`
	AccountsFile string `envconfig:"WX_ACCOUNTS_FILE" desc:"many accounts: a JSON file [{\"appid\":…,\"secret\" or \"secret_file\":…,\"endpoint\":…}]"`
	Endpoint     string `envconfig:"WX_ENDPOINT" default:"stable_token" desc:"how to mint: stable_token or token"`
	APIVars
}

// APIVars say where WeChat is.
type APIVars struct {
	APIBase      string `envconfig:"WX_API_BASE" default:"https://api.weixin.qq.com,https://api2.weixin.qq.com" desc:"WeChat's API, tried in order"`
	APIAllowHTTP string `envconfig:"WX_API_ALLOW_HTTP" default:"false" desc:"allow http:// beyond loopback (a simulator in a private network)"`
}

// RefreshVars say when to mint.
type RefreshVars struct {
	RefreshAhead       string `envconfig:"WX_REFRESH_AHEAD" default:"5m" desc:"refresh this long before a token's end; at most half of its life"`
	RefreshEvery       string `envconfig:"WX_REFRESH_EVERY" default:"0" desc:"refresh at this rate too; 0 = only before the end"`
	InitialDelay       string `envconfig:"WX_INITIAL_DELAY" default:"0" desc:"wait this long before the first token"`
	MinRefreshInterval string `envconfig:"WX_MIN_REFRESH_INTERVAL" default:"30s" desc:"a manual refresh nearer than this to the last mint is too soon"`
	VerifyReports      string `envconfig:"WX_VERIFY_REPORTS" default:"true" desc:"ask WeChat before a reported token is replaced"`
	HTTPTimeout        string `envconfig:"WX_HTTP_TIMEOUT" default:"5s" desc:"of one call to WeChat"`
	LeaseTTL           string `envconfig:"WX_LEASE_TTL" default:"15s" desc:"how long a publisher that dies keeps others from minting; whole seconds"`
}

// NamesVars say what the bus is shared under.
type NamesVars struct {
	Bucket        string `envconfig:"WX_BUCKET" default:"wx_token" desc:"KV bucket of the tokens"`
	SubjectPrefix string `envconfig:"WX_SUBJECT_PREFIX" default:"wx.token" desc:"under which .refresh, .update and .event hang"`
}

// BusVars say what publishers make on the bus.
type BusVars struct {
	NamesVars
	Replicas string `envconfig:"WX_REPLICAS" default:"1" desc:"of the buckets, when they are made: 3 in a cluster"`
}

// NATSVars say where NATS is, in the terms of the nats CLI.
type NATSVars struct {
	URL      string `envconfig:"NATS_URL" desc:"NATS servers, separated by commas; empty = the publisher's embedded server"`
	User     string `envconfig:"NATS_USER" desc:"user name, or a token if there is no password"`
	Password string `envconfig:"NATS_PASSWORD" desc:"its password"`
	Creds    string `envconfig:"NATS_CREDS" desc:"credentials file"`
	NKey     string `envconfig:"NATS_NKEY" desc:"nkey seed file"`
	Cert     string `envconfig:"NATS_CERT" desc:"TLS client certificate file"`
	Key      string `envconfig:"NATS_KEY" desc:"TLS private key file"`
	CA       string `envconfig:"NATS_CA" desc:"file of certificates that servers are checked against"`

	InboxPrefix string `envconfig:"WX_INBOX_PREFIX" desc:"under which replies travel, like the nats CLI's --inbox-prefix; default _INBOX"`
}

// EmbeddedVars say where the embedded NATS server listens and stores.
type EmbeddedVars struct {
	DataDir      string `envconfig:"WX_DATA_DIR" desc:"folder of the embedded server; default $XDG_STATE_HOME/wxtoken"`
	EmbeddedAddr string `envconfig:"WX_EMBEDDED_ADDR" default:"127.0.0.1:4222" desc:"where it listens; beyond loopback only with NATS_USER and NATS_PASSWORD"`
}

// AgentVars say whom the agent serves, and where.
type AgentVars struct {
	AgentAddr   string `envconfig:"WX_AGENT_ADDR" default:"127.0.0.1:9403" desc:"where the agent listens: host:port, or unix:/path"`
	AllowRemote string `envconfig:"WX_AGENT_ALLOW_REMOTE" default:"false" desc:"allow an address beyond loopback: whoever reaches it calls WeChat as your accounts"`
	AgentHosts  string `envconfig:"WX_AGENT_HOSTS" desc:"names that services call the agent by, separated by commas; localhost and IP addresses always are"`
	AppIDs      string `envconfig:"WX_APPIDS" desc:"the accounts to serve, separated by commas; empty = all that it may read"`
	AgentKeys   string `envconfig:"WX_AGENT_KEYS" desc:"JSON file {\"appid\":\"key\"}: what an SDK must send as its AppSecret; re-read on SIGHUP; empty = anything"`
	TokenDir    string `envconfig:"WX_TOKEN_DIR" desc:"where <appid>.access_token and <appid>.json are written; empty = nowhere"`
}

// SimulatorVars say what the simulated WeChat is like.
type SimulatorVars struct {
	SimAddr      string `envconfig:"WX_SIM_ADDR" default:"127.0.0.1:9401" desc:"where the simulated WeChat listens"`
	SimExpiresIn string `envconfig:"WX_SIM_EXPIRES_IN" default:"7200" desc:"life of its tokens in seconds; all its time windows scale with it"`
	SimAccounts  string `envconfig:"WX_SIM_ACCOUNTS" default:"wx0123456789abcdef:secret" desc:"appid:secret, separated by commas"`
}

// HTTPVars say where a publisher tells how it is.
type HTTPVars struct {
	HTTPAddr string `envconfig:"WX_HTTP_ADDR" default:"127.0.0.1:9402" desc:"where the status page, /healthz, /readyz and /metrics are served; set but empty = nowhere"`
}

type publisherVars struct {
	AccountVars
	RefreshVars
	BusVars
	NATSVars
	EmbeddedVars
	HTTPVars
	LogVars
}

type simulatorOnlyVars struct {
	SimulatorVars
	LogVars
}

type agentOnlyVars struct {
	AgentVars
	APIVars
	NamesVars
	NATSVars
	LogVars
}
