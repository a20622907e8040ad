package publisher

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// SetAccounts replaces the accounts, or tells every mistake in them at once and changes nothing. It does no I/O, and may
// be called before Run and at any time while it runs: keys of new accounts are then read as soon as NATS allows.
//
// An account that is no longer named begins no new refresh; one under way is finished. One whose Minter or Endpoint is
// another keeps its token and makes its next call with the new ones, at once if the last call was refused in a way that
// only a human could mend. All others are not touched.
func (p *Publisher) SetAccounts(accounts []Account) error {
	if err := checkAccounts(accounts); err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	p.setting.Lock()
	defer p.setting.Unlock()
	change := p.replaceAccounts(accounts)
	for _, a := range change.removed {
		a.remove()
		p.schedule.remove(a)
	}
	for _, a := range change.mended {
		a.wake()
	}
	p.added.put(change.added)
	p.added.announce()
	p.log.Info("accounts are set", "accounts", len(accounts), "added", len(change.added), "removed", len(change.removed), "changed", len(change.mended))
	return nil
}

func checkAccounts(accounts []Account) error {
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(accounts) == 0 {
		wrong("no account")
	}
	known := make(map[string]bool, len(accounts))
	for _, a := range accounts {
		if err := wire.CheckAppID(a.AppID); err != nil {
			problems = append(problems, err)
		}
		if known[a.AppID] {
			wrong("account %.64s is named twice", a.AppID)
		}
		known[a.AppID] = true
		if _, err := wechat.ParseEndpoint(string(a.Endpoint)); err != nil {
			wrong("account %.64s: %w", a.AppID, err)
		}
		switch {
		case a.Minter == nil:
			wrong("account %.64s has no minter", a.AppID)
		case !reflect.ValueOf(a.Minter).Comparable():
			wrong("account %.64s has a minter that can't be compared: use a pointer", a.AppID)
		}
	}
	return errors.Join(problems...)
}

// change is what a new set of accounts means for those that were there.
type change struct{ added, removed, mended []*account }

func (p *Publisher) replaceAccounts(accounts []Account) (c change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.accounts
	p.accounts = make(map[string]*account, len(accounts))
	for _, now := range accounts {
		a := before[now.AppID]
		switch {
		case a == nil:
			a = newAccount(p.shared, now)
			c.added = append(c.added, a)
		case a.mend(now):
			c.mended = append(c.mended, a)
		}
		p.accounts[now.AppID] = a
		delete(before, now.AppID)
	}
	for _, a := range before {
		c.removed = append(c.removed, a)
	}
	return c
}

// mend takes over another Minter or Endpoint, and tells whether there is one. What WeChat refused for a reason that only
// a human can mend is tried again at once: this may be the mending.
func (a *account) mend(now Account) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if *a.given.Load() == now {
		return false
	}
	a.given.Store(&now)
	a.mended = true
	if a.lastErr != nil && classOf(a.lastErr) == wechat.Permanent {
		a.failures, a.lastErr = 0, nil
		a.retryAt = time.Time{}
	}
	return true
}

// remove lets no new pass begin. An account of the same name that is added later is another one: by its own nonce it
// waits for the lease of a pass of ours that is still under way.
func (a *account) remove() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.removed = true
}

func (a *account) isRemoved() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.removed
}

func (a *account) endpoint() wechat.Endpoint { return a.given.Load().Endpoint }

func (a *account) minter() Minter { return guarded{a.given.Load().Minter, a.log, a.appid} }

// minterForMint also takes note that what comes of the call is about the account as it is now.
func (a *account) minterForMint() Minter {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mended = false
	return a.minter()
}

// newcomers are accounts whose keys were not read yet, and that are not scheduled before.
type newcomers struct {
	news chan struct{} // there are some

	mu       sync.Mutex
	accounts []*account
}

func newNewcomers() *newcomers { return &newcomers{news: make(chan struct{}, 1)} }

// put keeps accounts for the next take.
func (n *newcomers) put(accounts []*account) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.accounts = append(n.accounts, accounts...)
}

// announce tells that there may be some.
func (n *newcomers) announce() {
	select {
	case n.news <- struct{}{}:
	default: // told already
	}
}

func (n *newcomers) take() []*account {
	n.mu.Lock()
	defer n.mu.Unlock()
	accounts := n.accounts
	n.accounts = nil
	return accounts
}

// admit reads the keys of new accounts, so that a good token is known before it is decided when to refresh, and then
// schedules them.
func (p *Publisher) admit(ctx context.Context) error {
	accounts := p.added.take()
	if err := p.load(ctx, accounts); err != nil {
		p.added.put(accounts) // the guard comes again
		return err
	}
	for _, a := range accounts {
		a.delay(p.cfg.InitialDelay)
		if err := p.schedule.add(a); err != nil {
			return err
		}
	}
	return nil
}
