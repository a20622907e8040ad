package layering

// layers of the module's packages, the lowest first.
func layers() [][]string {
	return [][]string{
		{"internal/secret", "internal/tokenquery", "internal/logtest"},
		{"internal/wire", "internal/wechat", "internal/httpd", "internal/natstest"},
		{"internal/bus", "internal/wxsim", "subscriber"},
		{"publisher", "internal/config", "internal/agent", "internal/demo"},
		{"subscriber/sourcemetrics", "subscriber/subscribertest", "subscriber/wechatsdk", "internal/statuspage"},
		{"cmd/wxtoken", "deploy/keys", "examples/service"},
	}
}

// limit: the package imports of ours nothing else.
type limit struct {
	pkg string
	may []string
	why string
}

func limits() []limit {
	return []limit{
		{"internal/wire", []string{"internal/secret", "internal/tokenquery", "internal/logtest"},
			"both sides of the bus agree on it, so it stands on neither side"},
		{"internal/wechat", []string{"internal/secret", "internal/tokenquery", "internal/logtest"},
			"it fills the publisher's interface without knowing the publisher or the bus; other vendors' clients will stand beside it"},
		{"internal/wxsim", []string{"internal/secret", "internal/wire"},
			"a simulated WeChat that shared code with the client of WeChat would share its mistakes"},
		{"internal/httpd", nil,
			"it serves whatever it is given"},
		{"internal/natstest", nil,
			"every package's tests may use it, those of the lowest too"},
		{"internal/logtest", nil,
			"every package's tests may use it, those of the lowest too"},
		{"internal/tokenquery", nil,
			"it knows text only"},
		{"internal/bus", []string{"internal/secret", "internal/wire"},
			"the way to NATS doesn't depend on who goes it"},
		{"publisher", []string{"internal/bus", "internal/secret", "internal/wechat", "internal/wire"},
			"it doesn't know who reads its tokens, nor where its settings come from"},
		{"subscriber", []string{"internal/secret", "internal/tokenquery", "internal/wire"},
			"services embed it: it knows the contract and no publisher"},
		{"subscriber/sourcemetrics", []string{"subscriber"},
			"it shows what any user of subscriber can see"},
		{"subscriber/wechatsdk", []string{"subscriber"},
			"it adapts what any user of subscriber can see"},
		{"internal/agent", []string{"internal/httpd", "internal/secret", "internal/tokenquery", "internal/wire", "subscriber"},
			"it is a service like any other, and gets its tokens from subscriber"},
		{"internal/statuspage", []string{"internal/wechat", "internal/wire", "publisher"},
			"it shows a publisher, and changes nothing"},
		{"deploy/keys", nil,
			"it makes keys on an operator's machine"},
		{"examples/service", []string{"subscriber"},
			"users copy it, and can't import internal packages"},
	}
}

// reservation: nobody else imports it. The path is a package of ours, a foreign module with all its packages, or one package.
type reservation struct {
	path string
	by   []string
	why  string
}

func reserved() []reservation {
	return []reservation{
		{"internal/config", []string{"cmd/wxtoken"},
			"settings reach the others as values"},
		{"internal/agent", []string{"cmd/wxtoken"},
			"it is a command"},
		{"internal/demo", []string{"cmd/wxtoken"},
			"it is a command"},
		{"internal/statuspage", []string{"cmd/wxtoken"},
			"it is shown by a command"},
		{"publisher", []string{"cmd/wxtoken", "internal/statuspage"},
			"only publishers hold AppSecrets and mint"},
		{"internal/wxsim", []string{"cmd/wxtoken", "internal/demo"},
			"no token of a real publisher comes from the simulator"},
		{"internal/natstest", []string{"subscriber/subscribertest"},
			"it is for tests"},
		{"internal/logtest", nil,
			"it is for tests"},
		{"subscriber/subscribertest", nil,
			"it is for tests"},

		{"github.com/nats-io/nats.go", []string{"cmd/wxtoken", "examples/service", "internal/agent", "internal/bus", "internal/demo",
			"internal/natstest", "publisher", "subscriber", "subscriber/subscribertest"},
			"the others know no bus"},
		{"github.com/nats-io/nats.go/jetstream", []string{"internal/bus", "publisher", "subscriber/subscribertest"},
			"only publishers have rights to JetStream; a service subscribes and gets"},
		{"github.com/nats-io/nats.go/micro", []string{"publisher"},
			"publishers alone answer"},
		{"github.com/nats-io/nats-server/v2", []string{"internal/bus", "internal/natstest", "subscriber/subscribertest"},
			"it would make each service 11 MB larger"},
		{"github.com/nats-io/nkeys", []string{"deploy/keys"},
			"keys are made by operators"},
		{"github.com/nats-io/nuid", []string{"publisher"},
			"what nats.go has is enough elsewhere"},
		{"github.com/google/uuid", []string{"publisher"},
			"gocron names its jobs with it"},
		{"github.com/go-co-op/gocron/v2", []string{"publisher"},
			"publishers alone have a schedule"},
		{"github.com/kelseyhightower/envconfig", []string{"internal/config"},
			"settings are read in one place"},
		{"github.com/fsnotify/fsnotify", []string{"internal/config"},
			"settings are read in one place"},
		{"github.com/gofrs/flock", []string{"internal/bus"},
			"it locks the embedded server's folder"},
		{"github.com/prometheus/client_golang", []string{"cmd/wxtoken", "internal/agent", "internal/httpd", "publisher", "subscriber/sourcemetrics"},
			"a service that wants metrics of its sources imports sourcemetrics; subscriber itself brings none"},
		{"github.com/prometheus/client_model", nil,
			"tests read metrics with it"},
		{"expvar", nil,
			"it publishes the command line at a global address"},
		{"net/http/pprof", nil,
			"it publishes the process's memory, tokens and all, at a global address"},
	}
}
