package sdktest

import (
	"fmt"
	"time"

	"github.com/wxtoken/wxtoken/internal/wxsim"
)

// patience is how long a test waits for progress of any kind.
const patience = 2 * time.Minute

// trouble is what befalls tokens, publishers and NATS. The accounts are struck in turn, so that none needs more new
// tokens than its publishers mint on request: ten in a row.
type trouble struct {
	*world
	next int
}

func (tr *trouble) appid() string {
	tr.next++
	return tr.appids[tr.next%len(tr.appids)]
}

// strikes are the things that can happen.
var strikes = []struct {
	name   string
	strike func(*trouble)
}{
	{"a token is revoked", func(tr *trouble) { tr.revoke(tr.appid()) }},
	{"a stranger mints: our token lives for its grace", func(tr *trouble) { tr.foreignMint(tr.appid(), 1) }},
	{"a stranger mints twice: our token is dead at once", func(tr *trouble) { tr.foreignMint(tr.appid(), 2) }},
	{"a token is revoked while a publisher restarts", func(tr *trouble) {
		tr.revoke(tr.appid())
		tr.restartPublisher(0)
	}},
	{"half of the tokens are revoked", func(tr *trouble) {
		for range len(tr.appids) / 2 {
			tr.revoke(tr.appid())
		}
	}},
	{"NATS restarts, and a publisher", func(tr *trouble) {
		tr.nats.Restart(true)
		tr.restartPublisher(1)
	}},
}

// strike does the next of them.
func (tr *trouble) strike(number int) {
	tr.t.Helper()
	s := strikes[number%len(strikes)]
	tr.t.Logf("%s: %s", time.Now().Format("15:04:05.000"), s.name)
	s.strike(tr)
}

func (tr *trouble) revoke(appid string) {
	tr.t.Helper()
	if err := tr.sim.Revoke(appid, wxsim.ChannelToken, false); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *trouble) foreignMint(appid string, times int) {
	tr.t.Helper()
	for range times {
		if _, err := tr.sim.ForeignMint(appid, wxsim.ChannelToken, false); err != nil {
			tr.t.Fatal(err)
		}
	}
}

// awaitHealth returns when WeChat accepts what every source holds.
func (w *world) awaitHealth() {
	w.t.Helper()
	w.await("good tokens", func() bool {
		for _, src := range w.sources {
			if tok, err := src.Token(); err != nil || w.sim.CheckToken(tok.AccessToken()) != 0 {
				return false
			}
		}
		return true
	})
}

// awaitRotations returns when that many tokens were minted since the start of the simulator.
func (w *world) awaitRotations(n int64) {
	w.t.Helper()
	w.await(fmt.Sprintf("%d rotations", n), func() bool { return w.rotations() >= n })
}

func (w *world) await(what string, there func() bool) {
	w.t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for limit := time.Now().Add(patience); !there(); <-look.C {
		if time.Now().After(limit) {
			w.t.Fatalf("waiting %v for %s, after %d rotations", patience, what, w.rotations())
		}
	}
}
