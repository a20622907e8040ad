package publisher

import (
	"cmp"
	"slices"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// Status is how a publisher is at one moment, for health checks and pages. It holds ids, never tokens.
type Status struct {
	At        time.Time // by the NATS server's clock, like all times here
	Publisher string
	Connected bool
	StoreErr  error // why the buckets couldn't be read or written the last time; nil = they could
	Accounts  []AccountStatus
}

// AccountStatus is what a publisher knows of one account.
type AccountStatus struct {
	AppID      string
	Endpoint   string
	TokenID    string // "" = no token was seen
	Generation uint64
	Revision   uint64
	Reason     wire.Reason
	MintedBy   string
	MintedAt   time.Time
	ExpiresAt  time.Time
	Live       bool // services can use the token
	Unstored   bool // it was minted here and waits for the store

	Failures int // mints that failed in a row
	LastErr  error
	RetryAt  time.Time // not before this, after a failure

	// What is left of the budgets as they were last read, which is every 15 s while the store can be read.
	ForcedLeft     int  // forced refreshes of this Beijing day
	AskedLeft      int  // mints that reports and operators may cause before they must wait
	BudgetsUnknown bool // not read yet, or more than 1,024 accounts have spent something; the numbers are then those of whole budgets
}

// Status tells how the publisher is. It does no I/O.
func (p *Publisher) Status() Status {
	now := p.clock.now()
	s := Status{At: now, Publisher: p.cfg.Publisher, Connected: p.cfg.Conn.IsConnected(), StoreErr: p.storeErr()}
	for _, a := range p.all() {
		s.Accounts = append(s.Accounts, a.status(now))
	}
	p.showBudgets(s.Accounts, now)
	slices.SortFunc(s.Accounts, func(a, b AccountStatus) int { return cmp.Compare(a.AppID, b.AppID) })
	return s
}

func (p *Publisher) showBudgets(in []AccountStatus, now time.Time) {
	known := p.budgets.Load()
	for i := range in {
		var b budget
		if known != nil {
			b = known.of(in[i].AppID)
		}
		in[i].ForcedLeft, in[i].AskedLeft = b.left(now)
		in[i].BudgetsUnknown = known == nil
	}
}

// Ready tells whether all is well: NATS is there, the buckets can be read and written, every account has a live token in
// them, and WeChat refuses none for a reason that only a human can mend.
func (s Status) Ready() bool {
	return s.Connected && s.StoreErr == nil && len(s.Troubled()) == 0
}

// Troubled are the accounts that have a Problem.
func (s Status) Troubled() []AccountStatus {
	var troubled []AccountStatus
	for _, a := range s.Accounts {
		if a.Problem() != "" {
			troubled = append(troubled, a)
		}
	}
	return troubled
}

// Problem says why services can't use the account's token, or won't soon unless a human acts, or "".
func (a AccountStatus) Problem() string {
	why := ""
	if a.LastErr != nil {
		why = ": " + a.LastErr.Error()
	}
	switch {
	case a.TokenID == "":
		return "no token yet" + why
	case a.Unstored:
		return "the new token is not stored yet" + why
	case !a.Live:
		return "the token has expired" + why
	case a.LastErr != nil && classOf(a.LastErr) == wechat.Permanent:
		return "the token is live, but WeChat refuses the next" + why
	}
	return ""
}

// Usable are how many accounts have a token that services can use.
func (s Status) Usable() (n int) {
	for _, a := range s.Accounts {
		if a.Usable() {
			n++
		}
	}
	return n
}

// Usable tells whether the account has a token that services can use.
func (a AccountStatus) Usable() bool { return a.Live && !a.Unstored }

// ErrCode is WeChat's of the last mint if it failed, else 0.
func (a AccountStatus) ErrCode() int { return errCode(a.LastErr) }

func (a *account) status(now time.Time) AccountStatus {
	endpoint := a.endpoint()
	a.mu.Lock()
	defer a.mu.Unlock()
	s := AccountStatus{AppID: a.appid, Endpoint: string(endpoint), Failures: a.failures, LastErr: a.lastErr}
	if a.lastErr != nil {
		s.RetryAt = a.retryAt
	}
	if !a.seen.exists {
		return s
	}
	v := a.seen.Value
	s.TokenID, s.Generation, s.Revision, s.Reason = v.ID, v.Generation, a.seen.revision, v.Reason
	s.MintedBy, s.MintedAt, s.ExpiresAt = v.Publisher, v.MintedAt, v.ExpiresAt
	s.Live, s.Unstored = a.seen.live(now), a.kept
	return s
}
