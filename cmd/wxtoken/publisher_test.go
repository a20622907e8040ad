package main

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/subscriber"
)

// A service that takes src.Token() for each call sees no refused call over many rotations, and never an older token.
func TestRotationsGoUnnoticed(t *testing.T) {
	const rotations = 5
	for _, endpoint := range []string{"stable_token", "token"} {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 6*time.Second, "WX_ENDPOINT="+endpoint)
			w.startPublisher()
			nc := w.connect()
			src := w.open(nc)
			var newest subscriber.Token
			for seen := 0; seen <= rotations; {
				tok, err := src.Token()
				if err != nil {
					t.Fatalf("after %d rotations: %v", seen, err)
				}
				if tok.Generation < newest.Generation {
					t.Fatalf("generation %d after %d", tok.Generation, newest.Generation)
				}
				if tok.ID != newest.ID {
					seen++
				}
				newest = tok
				if code := w.call(tok.AccessToken()); code != 0 {
					t.Fatalf("WeChat refused token %s with %d after %d rotations", tok.ID, code, seen-1)
				}
			}
			if mints := w.stats().Mints.Total(); mints > rotations+2 {
				t.Errorf("%d mints for %d rotations", mints, rotations)
			}
			if code := w.publisher.stop(); code != exitOK {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

func TestRestartMintsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Hour)
	first := w.startPublisher()
	tok, _ := w.open(w.connect()).Token()
	if code := first.stop(); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	w.startPublisher().awaitLine("publisher runs")
	again, err := w.open(w.connect()).Token()
	if err != nil || again.ID != tok.ID {
		t.Errorf("token %s after %s, %v", again.ID, tok.ID, err)
	}
	if mints := w.stats().Mints.Total(); mints != 1 {
		t.Errorf("%d mints", mints)
	}
}

func TestSIGTERMInTheMidstOfAMint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Hour)
	w.control(http.MethodPost, "/_sim/faults", `{"group":"mint","kind":"hang"}`, nil)
	p := w.startPublisher()
	await(t, "a mint that hangs", func() bool { return w.stats().Faults["hang"] > 0 })
	asked := time.Now()
	if code := p.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	t.Logf("ended after %v", time.Since(asked))
}

// A service that is told 40001 asks, and has a newer token. Everybody who asks at the same time has the same.
func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Hour, "WX_ENDPOINT=token")
	w.startPublisher()
	nc := w.connect()
	src := w.open(nc)
	dead, _ := src.Token()
	w.control(http.MethodPost, "/_sim/revoke", `{"channel":"token"}`, nil)
	if code := w.call(dead.AccessToken()); code == 0 {
		t.Fatal("the simulator accepts a revoked token")
	}
	var wait sync.WaitGroup
	for range 100 {
		wait.Go(func() {
			newer, err := src.Refresh(t.Context(), dead)
			if err != nil || newer.ID == dead.ID {
				t.Errorf("got %v, %v", newer, err)
			}
		})
	}
	wait.Wait()
	if s := w.stats(); s.Mints.Total() != 2 {
		t.Errorf("%d mints, want 2", s.Mints.Total())
	}
	w.checkForSecrets(nc)
}

func TestWeChatsRefusalsAreToldAndHeal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Hour)
	w.control(http.MethodPost, "/_sim/faults", `{"group":"mint","kind":"bad_gateway","count":2}`, nil)
	p := w.startPublisher()
	p.awaitLine("mint failed")
	nc := w.connect()
	if _, err := w.open(nc).Token(); err != nil {
		t.Error(err)
	}
	w.checkForSecrets(nc)
}

func TestWrongSecretIsSaidWithoutShowingIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Hour)
	const wrong = "ffffffffffffffffffffffffffffffff"
	p := w.startPublisher("WX_SECRET=" + wrong)
	p.awaitLine("40125")
	p.stop()
	if printed := p.out.String() + w.sim.out.String(); strings.Contains(printed, wrong) {
		t.Error("the AppSecret was printed")
	}
}
