package agent

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/subscriber"
)

// errWaiting is why an account has no token at first.
var errWaiting = errors.New("its token has not been read yet")

// account is one that is served.
type account struct {
	appid  string
	found  bool                   // by looking, not named in the configuration
	opened atomic.Pointer[opened] // nil before the first token
	why    atomic.Pointer[error]  // why it isn't opened, or its files aren't written
	recent atomic.Pointer[[]string]
	proven atomic.Pointer[proof]
}

// opened is how an account with a token is used.
type opened struct {
	src       *subscriber.Source
	transport http.RoundTripper
}

// ails records what is wrong, or nil.
func (a *account) ails(err error) { a.why.Store(&err) }

func (a *account) problem() error { return *a.why.Load() }

// live is nil when the account has a good token, else why it has none.
func (a *account) live() error {
	o := a.opened.Load()
	if o == nil {
		return a.problem()
	}
	if _, err := o.src.Token(); err != nil {
		return errors.Join(err, o.src.Err())
	}
	return nil
}

// barred tells whether a was found, but is none of those that may be read here.
func (a *account) barred() bool {
	if !a.found || a.opened.Load() != nil {
		return false
	}
	_, noRight := errors.AsType[*subscriber.RightsError](a.problem())
	return noRight
}

// tokens are those that WeChat may echo: the current one, and those before it that may still live.
func (a *account) tokens() []string {
	var known []string
	if recent := a.recent.Load(); recent != nil {
		known = *recent
	}
	o := a.opened.Load()
	if o == nil {
		return known
	}
	held, _ := o.src.Token()
	if now := held.AccessToken(); now != "" && !slices.Contains(known, now) {
		return append([]string{now}, known...)
	}
	return known
}

// recentTokens is how many are remembered.
const recentTokens = 3

// accounts are all that are served. The zero value is none.
type accounts struct {
	mu      sync.RWMutex
	byAppID map[string]*account
	byToken map[string]*account // by token id
}

// add gives the account of that appid, and whether it is a new one; found tells where it comes from.
func (as *accounts) add(appid string, found bool) (a *account, isNew bool) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if a := as.byAppID[appid]; a != nil {
		return a, false
	}
	if as.byAppID == nil {
		as.byAppID, as.byToken = make(map[string]*account), make(map[string]*account)
	}
	a = &account{appid: appid, found: found}
	a.ails(errWaiting)
	as.byAppID[appid] = a
	return a, true
}

// saw remembers a's newest token.
func (as *accounts) saw(a *account, t subscriber.Token) {
	as.mu.Lock()
	defer as.mu.Unlock()
	tokens := []string{t.AccessToken()}
	if recent := a.recent.Load(); recent != nil {
		tokens = append(tokens, *recent...)
	}
	for _, old := range tokens[min(len(tokens), recentTokens):] {
		delete(as.byToken, wire.TokenID(old))
	}
	tokens = tokens[:min(len(tokens), recentTokens)]
	as.byToken[t.ID] = a
	a.recent.Store(&tokens)
}

func (as *accounts) get(appid string) *account {
	as.mu.RLock()
	defer as.mu.RUnlock()
	return as.byAppID[appid]
}

// holding is the account whose token this is, or nil.
func (as *accounts) holding(token string) *account {
	as.mu.RLock()
	defer as.mu.RUnlock()
	return as.byToken[wire.TokenID(token)]
}

// only is the account if there is but one that may be read, and how many there are.
func (as *accounts) only() (one *account, count int) {
	as.mu.RLock()
	defer as.mu.RUnlock()
	for _, a := range as.byAppID {
		if a.barred() {
			continue
		}
		if count++; count > 1 {
			return nil, count
		}
		one = a
	}
	return one, count
}

// all lists the accounts that may be read, in the order of their appids.
func (as *accounts) all() []*account {
	as.mu.RLock()
	defer as.mu.RUnlock()
	list := make([]*account, 0, len(as.byAppID))
	for _, a := range as.byAppID {
		if !a.barred() {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b *account) int { return strings.Compare(a.appid, b.appid) })
	return list
}
