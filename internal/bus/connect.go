package bus

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// Login says where NATS is and who we are, in the terms of the nats CLI.
type Login struct {
	URL      string        // one or more URLs, separated by commas; empty = the embedded server
	User     string        // user name, or a token if Password is empty
	Password secret.String //
	Creds    string        // path of a credentials file
	NKey     string        // path of an nkey seed file
	Cert     string        // path of a TLS client certificate, with Key
	Key      string        // path of its private key
	CA       string        // path of the certificates that servers are checked against

	InboxPrefix string // replies travel under it, so that rights can be given on one's own alone; empty = _INBOX
}

// How soon a lost connection is noticed and sought again. nats.go's own pings would leave a half-open connection
// unnoticed for longer than a replaced token lives.
const (
	pingInterval  = 10 * time.Second
	reconnectWait = 250 * time.Millisecond
)

// Connect opens a connection that seeks its servers for ever, at the start as well as later: it returns before NATS is
// reached. Writes made while it is away fail instead of being replayed late. Only a login that can't be used at all
// (a file that isn't there) is an error. Name is shown by `nats server report connections`. A nil log discards.
func Connect(login Login, name string, log *slog.Logger, more ...nats.Option) (*nats.Conn, error) {
	options, err := login.options()
	if err != nil {
		return nil, err
	}
	options = append(options,
		nats.Name(name),
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(), // else a server that refuses us twice, mid-way in a change of its users, is given up
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectWait, reconnectWait),
		nats.ReconnectBufSize(-1),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(2),
		nats.PermissionErrOnSubscribe(true),
	)
	options = append(options, logConnection(log)...)
	nc, err := nats.Connect(login.URL, append(options, more...)...)
	if err != nil {
		return nil, connectError(err)
	}
	return nc, nil
}

// connectError drops the text of an error about a URL: it holds the URL, and with it a password.
func connectError(err error) error {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return errors.New("connect to NATS: its URL can't be read; want nats://host:4222, with special characters in a user name or password %-encoded")
	}
	return fmt.Errorf("connect to NATS: %w", err)
}

func (l Login) options() ([]nats.Option, error) {
	var options []nats.Option
	switch {
	case l.User != "" && l.Password.IsZero():
		options = append(options, nats.Token(l.User))
	case l.User != "":
		options = append(options, nats.UserInfo(l.User, l.Password.Reveal()))
	}
	if l.Creds != "" {
		if err := checkCreds(l.Creds); err != nil {
			return nil, fmt.Errorf("NATS credentials %s: %w", l.Creds, err)
		}
		options = append(options, nats.UserCredentials(l.Creds))
	}
	if l.NKey != "" {
		option, err := nats.NkeyOptionFromSeed(l.NKey)
		if err != nil {
			return nil, fmt.Errorf("NATS nkey %s: not a readable seed file: %w", l.NKey, err)
		}
		options = append(options, option)
	}
	if l.Cert != "" || l.Key != "" {
		if _, err := tls.LoadX509KeyPair(l.Cert, l.Key); err != nil {
			return nil, fmt.Errorf("NATS client certificate %q with key %q: %w", l.Cert, l.Key, err)
		}
		options = append(options, nats.ClientCert(l.Cert, l.Key))
	}
	if l.CA != "" {
		options = append(options, nats.RootCAs(l.CA))
	}
	if l.InboxPrefix != "" {
		options = append(options, nats.CustomInboxPrefix(l.InboxPrefix))
	}
	return options, nil
}

// checkCreds reads the file now: nats.go would do so for the first time when it has reached a server.
func checkCreds(path string) error {
	var o nats.Options
	if err := nats.UserCredentials(path)(&o); err != nil {
		return err
	}
	if _, err := o.UserJWT(); err != nil {
		return err
	}
	_, err := o.SignatureCB([]byte("nonce"))
	return err
}

// logConnection tells each change of the connection's state once, not each attempt at 250 ms intervals.
func logConnection(log *slog.Logger) []nats.Option {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	var said string // the last fault; nats.go calls all handlers of a connection one after another
	isNew := func(err error) bool {
		news := err.Error() != said
		said = err.Error()
		return news
	}
	return []nats.Option{
		nats.ConnectHandler(func(nc *nats.Conn) {
			said = ""
			log.Info("connected to NATS", "server", nc.ConnectedAddr()) // its URL may hold a token
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			said = ""
			log.Info("connected to NATS again", "server", nc.ConnectedAddr())
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("lost the connection to NATS", "err", err)
			}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			if isNew(err) {
				log.Warn("NATS can't be reached, trying on", "err", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			switch {
			case sub != nil:
				log.Error("NATS reports an error", "subject", sub.Subject, "err", err)
			case isNew(err):
				log.Error("NATS reports an error", "err", err)
			}
		}),
	}
}
