package subscriber

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// An Option changes what Open does by default. A wrong one is an error of Open.
type Option func(*options)

type options struct {
	names    wire.Names
	log      *slog.Logger
	client   string
	warmDir  string // empty: nothing is kept
	apiHosts map[hostport]bool
	problems []error
}

// WithBucket names the KV bucket that holds the tokens: the publishers' WX_BUCKET, by default wx_token.
func WithBucket(name string) Option { return func(o *options) { o.names.Bucket = name } }

// WithSubjectPrefix sets what updates and refresh requests hang under: the publishers' WX_SUBJECT_PREFIX, by default
// wx.token.
func WithSubjectPrefix(prefix string) Option { return func(o *options) { o.names.Prefix = prefix } }

// WithLogger sets where a source tells what goes wrong and that it is well again, once each. Nil, the default, discards.
func WithLogger(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// WithClient names this service in the publishers' audit trail, e.g. orders/pod-7: up to 64 letters, digits and _./:@-.
// The default is host name and process id.
func WithClient(name string) Option {
	return func(o *options) {
		if !plainClient(name) {
			o.problems = append(o.problems, fmt.Errorf("client name %.80q: want 1 to 64 letters, digits and _./:@-", name))
		}
		o.client = name
	}
}

// WithAPIHosts names more hosts that Transport gives the token to, as host or host:port: the simulator, a proxy. A host
// without a port is meant with the scheme's own, 80 or 443. Both http and https will do, so name only hosts to which the
// way is safe.
func WithAPIHosts(hosts ...string) Option {
	return func(o *options) {
		for _, host := range hosts {
			if err := o.addAPIHost(host); err != nil {
				o.problems = append(o.problems, err)
			}
		}
	}
}

// NATSOptions are the connection options that a source works best with: connect and reconnect for ever, four times a
// second, and notice a dead link within half a minute. "The newest token within a second of NATS being back" holds with
// them. Options of your own that follow them win.
func NATSOptions() []nats.Option {
	return []nats.Option{
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 250*time.Millisecond),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(2 * time.Second),
	}
}

// readOptions are those of a source that is opened alone. It tells everything that is wrong with them, and with appid.
func readOptions(appid string, opts []Option) (options, error) {
	o, err := readFleetOptions(opts)
	o.log = o.log.With("appid", appid)
	return o, errors.Join(err, wire.CheckAppID(appid))
}

// readFleetOptions applies opts to the defaults and tells everything that is wrong with the result.
func readFleetOptions(opts []Option) (options, error) {
	o := options{names: wire.DefaultNames(), client: defaultClient()}
	for _, opt := range opts {
		opt(&o)
	}
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	return o, errors.Join(append(o.problems, o.names.Check())...)
}

// plainClient tells whether publishers keep name: they drop what isn't plain and short.
func plainClient(name string) bool {
	data, _ := json.Marshal(wire.Request{Client: name})
	request, err := wire.DecodeRequest(data)
	return err == nil && name != "" && request.Client == name
}

var notPlain = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

func defaultClient() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%.40s/%d", notPlain.ReplaceAllString(host, "-"), os.Getpid())
}
