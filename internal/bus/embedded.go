package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// EmbeddedConfig is how the embedded server runs.
type EmbeddedConfig struct {
	Addr     string        // host:port to listen on, for services and the nats CLI
	DataDir  string        // where JetStream stores; made when missing
	User     string        // demanded of everyone, if set; a token if Password is empty, as in Login
	Password secret.String //
}

// Embedded is a NATS server with JetStream in this process.
type Embedded struct {
	server *server.Server
	lock   *flock.Flock
}

// Reasons why an embedded server can't start. Each is wrapped with the address or folder that it is about.
var (
	ErrAddrTaken    = errors.New("address is taken by another program")
	ErrDataDirInUse = errors.New("data folder is in use by another wxtoken process")
)

// StartEmbedded starts a server and returns when it takes connections. A nil log discards.
func StartEmbedded(cfg EmbeddedConfig, log *slog.Logger) (*Embedded, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	options, err := cfg.serverOptions()
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	started, err := startServer(options, log)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	log.Info("embedded NATS server runs", "addr", started.Addr(), "data_dir", cfg.DataDir)
	return &Embedded{server: started, lock: lock}, nil
}

func (cfg EmbeddedConfig) serverOptions() (*server.Options, error) {
	host, portText, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS address %q: want host:port", cfg.Addr)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS address %q: want a number as port", cfg.Addr)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	options := &server.Options{
		ServerName: "wxtoken-embedded",
		Host:       host,
		Port:       port,
		JetStream:  true,
		StoreDir:   cfg.DataDir,
		NoSigs:     true,
	}
	switch {
	case cfg.User == "" && !cfg.Password.IsZero():
		return nil, errors.New("embedded NATS server: a password without a user would leave it open to everyone")
	case cfg.Password.IsZero():
		options.Authorization = cfg.User
	default:
		options.Username, options.Password = cfg.User, cfg.Password.Reveal()
	}
	return options, nil
}

// lockDir keeps a second server from the same store, which would destroy it.
func lockDir(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "wxtoken.lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("%s: %w", dir, ErrDataDirInUse)
	}
	return lock, nil
}

func startServer(options *server.Options, log *slog.Logger) (*server.Server, error) {
	if err := checkFree(options); err != nil {
		return nil, err
	}
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	fatal := make(chan string, 1)
	s.SetLogger(serverLog{log, fatal}, false, false)
	s.Start()
	if len(fatal) == 0 && s.ReadyForConnections(10*time.Second) {
		return s, nil
	}
	s.Shutdown()
	s.WaitForShutdown()
	select {
	case reason := <-fatal:
		return nil, errors.New("embedded NATS server: " + reason)
	default:
		return nil, errors.New("embedded NATS server doesn't get ready; its log lines say why")
	}
}

// checkFree listens for a moment, because the server itself only logs that it can't.
func checkFree(options *server.Options) error {
	if options.Port == server.RANDOM_PORT {
		return nil
	}
	addr := net.JoinHostPort(options.Host, strconv.Itoa(options.Port))
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: %w", addr, ErrAddrTaken)
	}
	if err != nil {
		return fmt.Errorf("embedded NATS address: %w", err)
	}
	return l.Close()
}

// InProcess is the option with which a connection needs no socket.
func (e *Embedded) InProcess() nats.Option { return nats.InProcessServer(e.server) }

// URL is where the server listens, for others.
func (e *Embedded) URL() string { return "nats://" + e.server.Addr().String() }

// Stop ends the server and waits until its store is closed. A second Stop does nothing.
func (e *Embedded) Stop() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
	_ = e.lock.Unlock() // the process is about to end, or the next lock says so
}

// serverLog gives the server's log lines to slog; its notices are of no use to our users.
type serverLog struct {
	log   *slog.Logger
	fatal chan<- string // takes the first reason why the server can't run, which the server itself only logs
}

func (l serverLog) Noticef(format string, v ...any) { l.debug(format, v) }
func (l serverLog) Debugf(format string, v ...any)  { l.debug(format, v) }
func (l serverLog) Tracef(string, ...any)           {} // would hold payloads
func (l serverLog) Warnf(format string, v ...any) {
	l.log.Warn("embedded NATS server warns", "text", fmt.Sprintf(format, v...))
}
func (l serverLog) Errorf(format string, v ...any) {
	l.log.Error("embedded NATS server reports an error", "text", fmt.Sprintf(format, v...))
}
func (l serverLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
		l.Errorf(format, v...)
	}
}
func (l serverLog) debug(format string, v []any) {
	l.log.Debug("embedded NATS server", "text", fmt.Sprintf(format, v...))
}
