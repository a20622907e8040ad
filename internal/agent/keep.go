package agent

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/wxtoken/wxtoken/subscriber"
)

const (
	// attemptTimeout is how long one attempt to open an account waits, before what keeps it is told.
	attemptTimeout = 5 * time.Second
	// retryPause is between attempts after something that waiting alone doesn't mend.
	retryPause = 5 * time.Second
	// startWait is how long those who call an agent that has just started wait for its accounts.
	startWait = 2 * time.Second
	// listPause is between attempts to list the accounts.
	listPause = time.Second
	// rightsPause is retryPause after a missing right, of which the server's log tells each time.
	rightsPause = time.Minute
)

// fleetState is where all tokens come from, or why it isn't there yet.
type fleetState struct {
	fleet *subscriber.Fleet
	err   error
}

// keep opens the accounts and holds them open until ctx ends.
func (g *Agent) keep(ctx context.Context) {
	fleet := g.openFleet(ctx)
	if fleet == nil {
		return
	}
	defer fleet.Close()
	var keepers sync.WaitGroup
	defer keepers.Wait()
	for _, a := range g.accounts.all() {
		keepers.Go(func() { g.keepAccount(ctx, fleet, a) })
	}
	if len(g.cfg.AppIDs) > 0 {
		<-ctx.Done()
		return
	}
	found := func(appid string) {
		if a, isNew := g.accounts.add(appid, true); isNew {
			keepers.Go(func() { g.keepAccount(ctx, fleet, a) })
		}
	}
	keepers.Go(func() { g.listOnce(ctx, fleet, found) })
	for appid := range fleet.Discover(ctx) {
		found(appid)
	}
}

// awaitAccounts returns when all accounts are found and have tokens, or after startWait, or when ctx ends.
func (g *Agent) awaitAccounts(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !g.settled() {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

func (g *Agent) settled() bool {
	all := g.accounts.all()
	return g.listed.Load() && liveOf(all) == len(all)
}

// listOnce tries until all accounts of the bucket are found, or can't be for want of a right: from then on, an account
// that isn't among them is unknown here.
func (g *Agent) listOnce(ctx context.Context, fleet *subscriber.Fleet, found func(appid string)) {
	for ctx.Err() == nil {
		appids, err := fleet.AppIDs(ctx)
		for _, appid := range appids {
			found(appid)
		}
		if _, noRight := errors.AsType[*subscriber.RightsError](err); err == nil || noRight {
			g.listed.Store(true)
			return
		}
		pause(ctx, listPause)
	}
}

// openFleet tries until it is open or ctx ends.
func (g *Agent) openFleet(ctx context.Context) *subscriber.Fleet {
	for {
		fleet, err := attempt(ctx, func(ctx context.Context) (*subscriber.Fleet, error) {
			return subscriber.OpenFleet(ctx, g.cfg.Conn, g.options()...)
		})
		if err == nil || ctx.Err() != nil {
			g.fleet.Store(&fleetState{fleet: fleet})
			return fleet
		}
		g.fleet.Store(&fleetState{err: err})
		g.log.Warn("tokens can't be read yet", "err", err)
		for _, a := range g.accounts.all() {
			a.ails(err)
		}
		pauseAfter(ctx, err)
	}
}

// keepAccount opens an account, and tells of each of its tokens until ctx ends.
func (g *Agent) keepAccount(ctx context.Context, fleet *subscriber.Fleet, a *account) {
	src := g.open(ctx, fleet, a)
	if src == nil {
		return
	}
	a.ails(nil)
	a.opened.Store(&opened{src, src.Transport(g.upstream)})
	g.log.Info("account is served", "appid", a.appid)
	for token := range src.Updates(ctx) {
		g.accounts.saw(a, token)
		if g.cfg.TokenDir != "" {
			g.keepFiles(ctx, a, src)
		}
	}
}

// open tries until the account has a token or ctx ends.
func (g *Agent) open(ctx context.Context, fleet *subscriber.Fleet, a *account) *subscriber.Source {
	said := ""
	for {
		src, err := attempt(ctx, func(ctx context.Context) (*subscriber.Source, error) { return fleet.Open(ctx, a.appid) })
		if err == nil {
			return src
		}
		if ctx.Err() != nil {
			return nil
		}
		a.ails(err)
		if err.Error() != said {
			g.log.Warn("account has no token yet", "appid", a.appid, "err", err)
		}
		said = err.Error()
		pauseAfter(ctx, err)
	}
}

func attempt[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return do(ctx)
}

// pauseAfter waits before the next attempt, unless the last one has waited already.
func pauseAfter(ctx context.Context, err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		return
	}
	if _, noRight := errors.AsType[*subscriber.RightsError](err); noRight {
		pause(ctx, rightsPause)
		return
	}
	pause(ctx, retryPause)
}

// pause waits for d, give or take a fifth, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d*4/5 + rand.N(d*2/5))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
