package wxsim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// DefaultExpiresIn is the life of a token on the real platform.
const DefaultExpiresIn = 7200 * time.Second

// Options make a Server. The zero value is a working simulator without accounts.
type Options struct {
	Accounts    []Account     // more can be added later, with AddAccount
	ExpiresIn   time.Duration // life of a token, and with it the scale of every window; 0 means 7200 s
	Knobs       Knobs         // behaviour that WeChat doesn't document, for all accounts
	Seed        uint64        // makes tokens and fault probabilities repeatable; 0 means random
	LedgerLimit int           // how many mints Ledger remembers, the oldest go first; 0 means 1,000,000
	Logger      *slog.Logger  // one line per mint and refusal, ids only; nil discards
}

// Account is one WeChat account. Its AppID has 1 to 64 letters, digits, _ or -.
type Account struct {
	AppID     string
	Secret    string
	Whitelist []string // IPs and CIDR ranges that may mint, in force at once; empty means any
}

// Server is a simulated WeChat. It is an http.Handler, and its Transport calls it without a socket.
type Server struct {
	settings settings // guarded by accountsMu; what accounts have that weren't set apart
	seed     uint64
	log      *slog.Logger

	accountsMu sync.RWMutex
	accounts   map[string]*account
	nobody     *account // counts calls that name no known account

	tokens   sync.Map // token text → *token
	faults   faultSet
	ledger   ledger
	failures failures
	waiting  waiting
}

// New makes a simulator. Its error names every account that is wrong.
func New(o Options) (*Server, error) {
	if o.ExpiresIn == 0 {
		o.ExpiresIn = DefaultExpiresIn
	}
	if o.LedgerLimit <= 0 {
		o.LedgerLimit = 1_000_000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		settings: settings{knobs: o.Knobs, expiresIn: o.ExpiresIn},
		seed:     o.Seed,
		log:      o.Logger,
		accounts: make(map[string]*account, len(o.Accounts)),
		ledger:   ledger{limit: o.LedgerLimit},
	}
	s.nobody = newAccount("", o.Seed, s.settings)
	s.faults.random = newRandom(o.Seed, "faults")
	problems := []error{checkExpiresIn(o.ExpiresIn), o.Knobs.check()}
	for _, a := range o.Accounts {
		problems = append(problems, s.AddAccount(a))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	return s, nil
}

// Close cuts the connections of all calls that faults hold back, now and from now on. Give it to
// http.Server.RegisterOnShutdown, so that a shutdown needs no wait for them. Other calls are answered as before.
func (s *Server) Close() { s.waiting.close() }

// ServeHTTP answers WeChat's endpoints, and those under /_sim/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isControl(r.URL.Path) {
		s.serveControl(w, r)
		return
	}
	s.serveAPI(w, r)
}

// waiting knows the calls that are held back, so that Close can end them. Each waits on a context of its own: a channel
// that all share would belong to no synctest bubble, and time would stand still in there.
type waiting struct {
	mu     sync.Mutex
	closed bool
	next   int
	ends   map[int]context.CancelFunc
}

func (w *waiting) add(end context.CancelFunc) (remove func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		end()
		return func() {}
	}
	if w.ends == nil {
		w.ends = make(map[int]context.CancelFunc)
	}
	w.next++
	key := w.next
	w.ends[key] = end
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.ends, key)
	}
}

func (w *waiting) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, end := range w.ends {
		end()
	}
}
