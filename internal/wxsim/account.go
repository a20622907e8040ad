package wxsim

import (
	"cmp"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// All is the appid that stands for every account.
const All = "*"

// account is all that the platform holds about one AppID.
type account struct {
	appid string

	mu       sync.Mutex // guards what follows
	settings settings
	secret   secret.String
	state    delayed[State]
	ips      delayed[whitelist]
	confirm  confirmation
	channels [2]channel
	tickets  [2]ticketBox
	quotas   quotas
	stats    Stats
	random   *rand.Rand
}

func newAccount(appid string, seed uint64, s settings) *account {
	return &account{appid: appid, settings: s, random: newRandom(seed, appid)}
}

func newRandom(seed uint64, name string) *rand.Rand {
	if seed == 0 {
		return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// randomBytes come from the operating system, or from the account's seed.
func (a *account) randomBytes(n int, seeded bool) []byte {
	b := make([]byte, n, n+8)
	if !seeded {
		crand.Read(b)
		return b
	}
	b = b[:0]
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, a.random.Uint64())
	}
	return b[:n]
}

// State is what the platform did to an account.
type State string

// The states of an account.
const (
	Active         State = "active"
	SecretFrozen   State = "secret_frozen"   // mints are answered 40243, live tokens go on
	AccountFrozen  State = "account_frozen"  // mints are answered 50007, business calls 50002
	TokenForbidden State = "token_forbidden" // mints are answered 50004, live tokens go on
)

var states = []State{Active, SecretFrozen, AccountFrozen, TokenForbidden}

var stateCodes = map[State]int{SecretFrozen: CodeSecretFrozen, AccountFrozen: CodeAccountFrozen, TokenForbidden: CodeTokenForbidden}

// AddAccount adds an account while the simulator runs.
func (s *Server) AddAccount(n Account) error {
	ips, err := parseWhitelist(n.Whitelist)
	problems := []error{wire.CheckAppID(n.AppID), err}
	if n.Secret == "" {
		problems = append(problems, fmt.Errorf("account %.64q: field secret is empty", n.AppID))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	s.accountsMu.Lock()
	defer s.accountsMu.Unlock()
	if s.accounts[n.AppID] != nil {
		return fmt.Errorf("account %s: field appid exists already", n.AppID)
	}
	a := newAccount(n.AppID, s.seed, s.settings)
	a.secret = secret.New(n.Secret)
	a.ips.now = ips
	a.state.now = Active
	s.accounts[n.AppID] = a
	return nil
}

func (s *Server) account(appid string) *account {
	s.accountsMu.RLock()
	defer s.accountsMu.RUnlock()
	return s.accounts[appid]
}

// known is account, for callers who owe an explanation.
func (s *Server) known(appid string) (*account, error) {
	if a := s.account(appid); a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("field appid: there is no account %.64q", appid)
}

// AppIDs lists the accounts in order.
func (s *Server) AppIDs() []string {
	var ids []string
	for _, a := range s.list(All) {
		ids = append(ids, a.appid)
	}
	return ids
}

// list gives the accounts that appid stands for, in order.
func (s *Server) list(appid string) []*account {
	s.accountsMu.RLock()
	defer s.accountsMu.RUnlock()
	if appid != All {
		if a := s.accounts[appid]; a != nil {
			return []*account{a}
		}
		return nil
	}
	all := make([]*account, 0, len(s.accounts))
	for _, a := range s.accounts {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *account) int { return cmp.Compare(a.appid, b.appid) })
	return all
}

// each changes the account, or all of them, one after the other under its lock.
func (s *Server) each(appid string, change func(*account)) error {
	accounts := s.list(appid)
	if len(accounts) == 0 && appid != All {
		_, err := s.known(appid)
		return err
	}
	for _, a := range accounts {
		a.mu.Lock()
		change(a)
		a.mu.Unlock()
	}
	return nil
}

// eachSettings is each for settings: with All, accounts that are added later have them too.
func (s *Server) eachSettings(appid string, change func(*settings)) error {
	if appid == All {
		s.accountsMu.Lock()
		change(&s.settings)
		s.accountsMu.Unlock()
	}
	return s.each(appid, func(a *account) { change(&a.settings) })
}

// SetExpiresIn sets the life of the tokens that are minted from now on, for one account or for All, and scales all
// windows with it. To shorten lives without scaling, use a Fault of kind ShortExpires.
func (s *Server) SetExpiresIn(appid string, d time.Duration) error {
	if err := checkExpiresIn(d); err != nil {
		return err
	}
	return s.eachSettings(appid, func(st *settings) { st.expiresIn = d })
}

// SetKnobs replaces the behaviour of one account or of All.
func (s *Server) SetKnobs(appid string, k Knobs) error {
	if err := k.check(); err != nil {
		return err
	}
	return s.eachSettings(appid, func(st *settings) { st.knobs = k })
}

// Knobs returns the behaviour of one account, or with All that of accounts which are added later.
func (s *Server) Knobs(appid string) (Knobs, error) {
	if appid == All {
		s.accountsMu.RLock()
		defer s.accountsMu.RUnlock()
		return s.settings.knobs, nil
	}
	a, err := s.known(appid)
	if err != nil {
		return Knobs{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.settings.knobs, nil
}

// SetState freezes or unfreezes an account, after Knobs.FreezeLag.
func (s *Server) SetState(appid string, state State) error {
	if err := checkChoice("state", state, states...); err != nil {
		return err
	}
	return s.each(appid, func(a *account) {
		now := time.Now()
		a.state.set(state, now.Add(a.settings.scale(a.settings.knobs.FreezeLag)), now)
	})
}

// SetWhitelist replaces the IPs and CIDR ranges that may use the account's secret. It counts after Knobs.WhitelistLag, or
// at once if now. An empty list switches the whitelist off.
func (s *Server) SetWhitelist(appid string, ips []string, now bool) error {
	w, err := parseWhitelist(ips)
	if err != nil {
		return err
	}
	return s.each(appid, func(a *account) {
		t, lag := time.Now(), time.Duration(0)
		if !now {
			lag = a.settings.scale(orDefault(a.settings.knobs.WhitelistLag, whitelistLag))
		}
		a.ips.set(w, t.Add(lag), t)
	})
}

// SetSecret resets the AppSecret. The old one is refused from now on; live tokens die if Knobs.SecretResetKills says so.
func (s *Server) SetSecret(appid, text string) error {
	if text == "" {
		return errors.New("field secret is empty")
	}
	if appid == All {
		return errors.New("field appid: a secret is set for one account")
	}
	return s.each(appid, func(a *account) {
		a.secret = secret.New(text)
		if a.settings.knobs.SecretResetKills {
			a.revokeAll()
		}
	})
}

func (a *account) revokeAll() {
	for i := range a.channels {
		for _, t := range a.channels[i].kept {
			t.revoked = true
		}
		a.channels[i].current, a.channels[i].previous = nil, nil
	}
}
