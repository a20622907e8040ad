package statuspage

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxtoken/wxtoken/publisher"
)

// Many viewers cost what one costs, and none cost nothing.
func TestViewersShareWhatIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(many(120)...)
		_, h := served(t, f)
		time.Sleep(time.Hour)
		if f.statuses.Load()+f.surroundings.Load()+f.histories.Load() != 0 {
			t.Error("nobody looks, and something was asked for")
		}
		var viewers sync.WaitGroup
		for range 100 {
			viewers.Go(func() { get(h, "/") })
		}
		viewers.Wait()
		if s, a, n := f.statuses.Load(), f.surroundings.Load(), f.histories.Load(); s != 1 || a != 1 || n != perPage {
			t.Errorf("%d statuses, %d surroundings, %d histories", s, a, n)
		}
		time.Sleep(time.Second)
		accounts := many(120)
		accounts[3].Revision++
		f.setAccounts(accounts...)
		get(h, "/")
		if s, a, n := f.statuses.Load(), f.surroundings.Load(), f.histories.Load(); s != 2 || a != 1 || n != perPage+1 {
			t.Errorf("a second later: %d statuses, %d surroundings, %d histories", s, a, n)
		}
		time.Sleep(aroundLife)
		get(h, "/")
		synctest.Wait() // it is asked for in the background
		if a := f.surroundings.Load(); a != 2 {
			t.Errorf("later: %d surroundings", a)
		}
	})
}

// What is old isn't shown while there is something newer.
func TestALateViewerWaitsForNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(healthy("wx1", time.Hour))
		f.around.Peers = []publisher.Peer{{Publisher: "gone/1"}}
		_, h := served(t, f)
		get(h, "/")
		f.change(func(f *fleet) { f.around.Peers = []publisher.Peer{{Publisher: "here/2"}} })
		time.Sleep(time.Hour)
		hasNot(t, get(h, "/").Body.String(), "gone/1")
	})
}

func TestAHistoryThatCantBeReadIsLeftAloneForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(healthy("wx1", time.Hour))
		f.err = errNATS
		_, h := served(t, f)
		for range 10 {
			has(t, get(h, "/").Body.String(), "None is known.")
		}
		if n := f.histories.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		f.change(func(f *fleet) { f.err, f.minted = nil, []publisher.Minted{{ID: "9f86d081884c7d65"}} })
		time.Sleep(historyPause)
		has(t, get(h, "/").Body.String(), "9f86d081884c7d65")
	})
}

func TestNotEveryAccountIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(many(3 * historyLimit)...)
		page, _ := served(t, f)
		for n := range 3 * historyLimit / perPage {
			v := page.look(t.Context(), query{page: n + 1, lang: langEN})
			if len(v.Rows) != perPage || len(page.histories.known) > historyLimit {
				t.Fatalf("page %d: %d rows, %d remembered", n+1, len(v.Rows), len(page.histories.known))
			}
		}
	})
}
