package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

// clusterWorld is a world of several publishers on a cluster, with a service that must notice nothing.
type clusterWorld struct {
	*world
	cluster  *natsCluster
	endpoint string
	service  *service
	stop     func() // ends the service's calls
}

// newClusterWorld has two publishers. Tokens live for life and are replaced that long ahead of their end, or after half
// of it; WeChat's own windows are those of tokens that live 2 h, so a replaced token lives on to its end.
func newClusterWorld(t *testing.T, endpoint string, life, ahead time.Duration) *clusterWorld {
	t.Helper()
	if testing.Short() {
		t.Skip("takes tens of seconds")
	}
	cluster := startNATSCluster(t)
	w := &clusterWorld{cluster: cluster, endpoint: endpoint}
	w.world = newWorld(t, 2*time.Hour, "WX_ENDPOINT="+endpoint, "NATS_URL="+cluster.url(), "WX_REPLICAS=3",
		"WX_HTTP_TIMEOUT=2s", "WX_LEASE_TTL=3s", fmt.Sprintf("WX_REFRESH_AHEAD=%v", ahead))
	w.natsURL = cluster.url()
	for _, s := range cluster.servers {
		w.processes = append(w.processes, s.process)
	}
	w.tokensLive(life)
	cluster.w, cluster.watcher = w.world, w.connect()
	cluster.awaitReady()
	w.startPublisher()
	w.startPublisher()
	w.service, w.stop = w.startService()
	cluster.awaitWhole()
	return w
}

// tokensLive sets the life of tokens that are minted from now on.
func (w *clusterWorld) tokensLive(life time.Duration) {
	w.t.Helper()
	w.control(http.MethodDelete, "/_sim/faults?appid=*", "", nil)
	w.fault(fmt.Sprintf(`{"group":"mint","kind":"short_expires","expires_in":"%v"}`, life))
}

func (w *clusterWorld) fault(fault string) {
	w.t.Helper()
	w.control(http.MethodPost, "/_sim/faults", fault, nil)
}

// awaitMint waits until the next mint is under way, held up by a fault, and returns who waits for its answer.
func (w *clusterWorld) awaitMint(kind wxsim.Kind, fault string) *process {
	w.t.Helper()
	w.fault(fault)
	await(w.t, "a mint that a fault holds up", func() bool { return w.stats().Faults[kind] > 0 })
	var lease struct {
		Owner string `json:"owner"`
	}
	leases := w.bucket(w.cluster.watcher, wire.DefaultNames().OpsBucket())
	await(w.t, "the lease that it is under", func() bool { // the replica that answers may be a little behind
		entry, err := leases.Get(w.t.Context(), "lease."+testAppID)
		return err == nil && json.Unmarshal(entry.Value(), &lease) == nil
	})
	return w.processOf(lease.Owner)
}

// minter is the publisher that minted the token with this id.
func (w *clusterWorld) minter(id string) *process {
	w.t.Helper()
	for _, v := range w.history(w.cluster.watcher) {
		if v.ID == id {
			return w.processOf(v.Publisher)
		}
	}
	w.t.Fatalf("token %s isn't in the history of its key", id)
	return nil
}

// processOf finds a publisher by its name, which is host/pid.
func (w *clusterWorld) processOf(publisher string) *process {
	w.t.Helper()
	for _, p := range w.processes {
		if _, pid, _ := strings.Cut(publisher, "/"); pid == strconv.Itoa(p.cmd.Process.Pid) {
			return p
		}
	}
	w.t.Fatalf("%s is none of the publishers", publisher)
	return nil
}

// check looks at all that must hold in the end. cut is the number of mints that never arrived.
func (w *clusterWorld) check(cut int) {
	w.t.Helper()
	nc := w.cluster.watcher
	await(w.t, "WeChat's current token in the store and in the service", func() bool {
		var current struct {
			ID string `json:"id"`
		}
		w.control(http.MethodGet, "/_sim/token?appid="+testAppID+"&channel="+w.endpoint, "", &current)
		held, _ := w.service.src.Token()
		history := w.history(nc)
		return history[len(history)-1].ID == current.ID && held.ID == current.ID
	})
	w.stop()
	w.service.check()
	w.checkHistory(w.history(nc))
	if mints, tokens := int(w.stats().Mints.Total()), len(w.service.tokens()); mints > tokens+cut {
		w.t.Errorf("%d mints for %d tokens, of %d the answer was lost", mints, tokens, cut)
	}
	w.checkForSecrets(nc)
}

func (w *clusterWorld) checkHistory(history []wire.Value) {
	w.t.Helper()
	for i, v := range history[1:] {
		if before := history[i]; v.Generation <= before.Generation || v.Fence < before.Fence {
			w.t.Errorf("generation %d and fence %d are stored over %d and %d", v.Generation, v.Fence, before.Generation, before.Fence)
		}
	}
}

// since logs how long something took. It bounds nothing.
func (w *clusterWorld) since(what string, begin time.Time) {
	w.t.Helper()
	w.t.Logf("%s: %v", what, time.Since(begin).Round(time.Millisecond))
}

// Publishers are killed between two rotations and in the midst of a mint: the other takes over.
func TestNobodyNoticesThatAPublisherIsKilled(t *testing.T) {
	w := newClusterWorld(t, "stable_token", 12*time.Second, 6*time.Second)
	first := w.service.awaitToken(1)
	idle := w.minter(first.ID)
	idle.kill()
	if second := w.service.awaitToken(2); w.minter(second.ID) == idle {
		t.Error("the dead mint")
	}

	w.startPublisher()
	minting := w.awaitMint(wxsim.Hang, `{"group":"mint","kind":"hang","after":true,"count":1}`)
	minting.kill()
	killed := time.Now()
	third := w.service.awaitToken(3)
	w.since("a mint was cut, newest token after", killed)
	if w.minter(third.ID) == minting {
		t.Error("the mint was over before it could be cut")
	}
	w.check(0) // stable_token gives the token again whose first answer was lost
}

// A publisher is stopped while it waits for a new token, for longer than its lease. When it goes on, the other has minted
// a newer one, which must stay. With stable_token it would be the same one.
func TestAPublisherStoppedBeyondItsLeaseOverwritesNothing(t *testing.T) {
	w := newClusterWorld(t, "token", 14*time.Second, 7*time.Second)
	// Two mints in a row of which the first was lost: by default the second ends the token that services have, before
	// anybody can tell them. No central server could help that.
	w.control(http.MethodPost, "/_sim/knobs", `{"appid":"*","lenient":true}`, nil)
	w.service.awaitToken(1)
	stopped := w.awaitMint(wxsim.Delay, `{"group":"mint","kind":"delay","delay":"1900ms","count":1}`)
	stopped.signal(syscall.SIGSTOP)
	begin := time.Now()
	second := w.service.awaitToken(2)
	w.since("a minter was stopped, newest token after", begin)
	other := w.minter(second.ID)
	if other == stopped {
		t.Fatal("the mint was over before its publisher was stopped")
	}

	events, err := w.cluster.watcher.SubscribeSync(wire.DefaultNames().EventSubject(testAppID, "*"))
	if err != nil {
		t.Fatal(err)
	}
	stopped.signal(syscall.SIGCONT)
	await(t, "the stopped one to see what it missed", func() bool {
		msg, err := events.NextMsg(time.Second)
		var e wire.Event
		return err == nil && json.Unmarshal(msg.Data, &e) == nil && w.processOf(e.Publisher) == stopped &&
			(e.What == wire.EventStaleWriter || e.What == wire.EventLeaseLost)
	})
	if history := w.history(w.cluster.watcher); history[len(history)-1].ID != second.ID {
		t.Errorf("token %s is stored over %s", history[len(history)-1].ID, second.ID)
	}
	other.kill() // the one that was stopped is as good as before
	if third := w.service.awaitToken(3); w.minter(third.ID) != stopped {
		t.Error("the third token is of a publisher that is dead")
	}
	w.check(1)
}

// betweenKills is what Raft needs between two faults so that they are two, not one.
const betweenKills = 3 * time.Second

// The leader of the stream is killed in the midst of a mint, and later two of three servers are, for long enough that a
// new token is due meanwhile. Nothing is restarted but the servers.
func TestNobodyNoticesThatServersOfTheClusterAreKilled(t *testing.T) {
	const ahead = 18 * time.Second
	w := newClusterWorld(t, "stable_token", 26*time.Second, ahead)
	w.service.awaitToken(1)
	w.tokensLive(42 * time.Second)
	w.awaitMint(wxsim.Delay, `{"group":"mint","kind":"delay","delay":"1500ms","count":1}`)
	leader := w.cluster.leader()
	leader.kill()
	killed := time.Now()
	w.service.awaitToken(2)
	w.since("the leader was killed during a mint, newest token after", killed)
	w.cluster.restart(leader)
	w.cluster.awaitWhole()
	w.since("the leader was killed, all replicas after", killed)

	time.Sleep(betweenKills)
	first := w.cluster.leader()
	first.kill()
	time.Sleep(betweenKills)
	second := w.cluster.other(first)
	second.kill()
	down, used := time.Now(), len(w.service.tokens())
	await(t, "a token that is due while most of the cluster is down", func() bool {
		tok, err := w.service.src.Token()
		return (err != nil || time.Until(tok.ExpiresAt) < ahead-time.Second) && time.Since(down) > betweenKills
	})
	if n := len(w.service.tokens()); n != used {
		t.Errorf("%d new tokens, while nothing can be stored", n-used)
	}
	w.cluster.restart(first, second)
	up := time.Now()
	w.service.awaitToken(used + 1)
	w.since("two of three servers are back, newest token after", up)
	w.cluster.awaitWhole()
	w.since("two of three servers are back, all replicas after", up)
	w.check(0)
}
