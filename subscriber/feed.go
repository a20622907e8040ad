package subscriber

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// feed serves any number of sources over one connection: it takes the updates for all of them, gets keys, keeps the
// server's time, and knows whether the connection works. A source that was opened alone has a feed of its own.
//
// What it has, and what its watches have, belongs to the goroutine of run unless a comment says otherwise. That never
// blocks on the network: probes and gets do, in goroutines of their own, and post what they find.
type feed struct {
	link   link
	inbox  *inbox // for any goroutine
	opts   options
	clock  atomic.Pointer[clock] // read by any goroutine
	health health                // for any goroutine
	back   homecoming            // for any goroutine

	updates chan *nats.Msg
	status  chan nats.Status
	posts   chan func(context.Context) // calls for run's goroutine
	ended   chan struct{}              // closed when run is over
	stop    context.CancelFunc
	running sync.WaitGroup

	all      *subscription // to the updates of all accounts; nil: each watch has its own
	ready    chan<- error  // OpenFleet waits; nil: not, or no more
	narrow   atomic.Bool   // all is nil; read by any goroutine
	watches  map[string][]*watch
	wakes    wakes
	seekers  map[*seeker]bool
	keeper   *keeper   // nil: no warm start
	missedAt time.Time // when to get all keys, because updates were missed; zero: no need

	probe   *probe // the one that runs, or nil
	probeAt time.Time
	probes  backoff
	synced  bool      // the clock is the server's, since the last connect
	timed   bool      // there is no better clock to be had than the one we have
	forced  time.Time // when the connection was last made to reconnect
	renewed time.Time // when all was last renewed

	queue   []*watch // whose keys to get
	flying  int      // gets that run
	window  int      // gets that may run
	getAt   time.Time
	retries backoff // of gets, while they fail for all alike
	asking  int     // requests to publishers that run
}

const (
	// aloneBuffer and fleetBuffer are how many updates may wait; gets make good what doesn't fit.
	aloneBuffer = 32
	fleetBuffer = 8192
)

func newFeed(nc *nats.Conn, o options, buffer int) *feed {
	f := &feed{
		link:    link{nc},
		inbox:   newInbox(link{nc}),
		opts:    o,
		updates: make(chan *nats.Msg, buffer),
		posts:   make(chan func(context.Context)),
		ended:   make(chan struct{}),
		watches: make(map[string][]*watch),
		seekers: make(map[*seeker]bool),
		window:  1,
	}
	if o.warmDir != "" {
		f.keeper = newKeeper(o.warmDir, func(err error) { f.ails(ailingKeeper, err) })
	}
	here := localClock()
	f.clock.Store(&here)
	return f
}

// start begins to take updates.
func (f *feed) start() {
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.status = f.link.StatusChanged(nats.CONNECTED, nats.CLOSED)
	f.running.Go(func() { f.run(ctx) })
}

// close ends the feed and waits for its goroutines, but not for those of sources.
func (f *feed) close() {
	f.stop()
	f.running.Wait()
	if f.keeper != nil {
		f.keeper.running.Wait()
	}
}

func (f *feed) run(ctx context.Context) {
	defer f.end()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		f.act(ctx)
		timer.Reset(time.Until(f.nextWake()))
		select {
		case <-ctx.Done():
			return
		case msg := <-f.updates:
			f.update(ctx, msg)
		case status := <-f.status:
			f.statusChanged(ctx, status)
		case post := <-f.posts:
			post(ctx)
		case <-timer.C:
		}
	}
}

// post lets run's goroutine call call with its own ctx; it gives up, and tells so, when ctx or the feed ends.
func (f *feed) post(ctx context.Context, call func(context.Context)) bool {
	select {
	case f.posts <- call:
		return true
	case <-ctx.Done():
	case <-f.ended:
	}
	return false
}

// do is post that waits for the call's end. It tells whether there was one, and fails only if the feed ends.
func (f *feed) do(call func(context.Context)) bool {
	done := make(chan struct{})
	posted := f.post(context.Background(), func(ctx context.Context) {
		defer close(done)
		call(ctx)
	})
	if posted {
		<-done
	}
	return posted
}

// act does what is due.
func (f *feed) act(ctx context.Context) {
	now := time.Now()
	if !f.missedAt.IsZero() && due(f.missedAt, now) {
		f.getAll(ctx, now)
	}
	for {
		w := f.wakes.first()
		if w == nil || !due(w.wake, now) {
			break
		}
		w.act(ctx, now)
	}
	if f.wantsProbe() && due(f.probeAt, now) {
		f.startProbe(ctx)
	}
	f.startGets(ctx, now)
	f.tellReady()
}

func due(at, now time.Time) bool { return !at.After(now) }

// nextWake is when act has something to do that no message announces.
func (f *feed) nextWake() time.Time {
	wake := time.Now().Add(checkEvery)
	if w := f.wakes.first(); w != nil {
		wake = earlier(wake, w.wake)
	}
	if !f.missedAt.IsZero() {
		wake = earlier(wake, f.missedAt)
	}
	if f.wantsProbe() {
		wake = earlier(wake, f.probeAt)
	}
	if f.wantsGet() {
		wake = earlier(wake, f.getAt)
	}
	return wake
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// update takes a message of a subscription.
func (f *feed) update(ctx context.Context, msg *nats.Msg) {
	if len(f.updates) >= cap(f.updates)-1 {
		f.missed(time.Now()) // some may not have fitted in, and nobody knows whose they were
	}
	appid := f.accountOf(msg.Subject)
	f.tellSeekers(appid, msg)
	now := time.Now()
	for _, w := range f.watches[appid] {
		newer, err := w.take(msg)
		if newer && !f.timed {
			f.probeAt = now // so the bucket is there now: Open waits for its time
		}
		if err == nil && f.health.get(ailingStore) != nil {
			f.getAt = now
		}
		w.act(ctx, now)
	}
}

// accountOf is the account whose key's updates come on the subject, or nothing.
func (f *feed) accountOf(subject string) string {
	key, _ := strings.CutPrefix(subject, f.opts.names.UpdateSubject(""))
	appid, kind, ok := wire.SplitKey(key)
	if !ok || kind != wire.KindAccessToken {
		return ""
	}
	return appid
}

// missed makes all keys be got soon.
func (f *feed) missed(now time.Time) {
	if f.missedAt.IsZero() {
		f.missedAt = now.Add(rand.N(missedSpread))
	}
}

// getAll gets the keys of all sources, those that end first before others.
func (f *feed) getAll(ctx context.Context, now time.Time) {
	f.missedAt = time.Time{}
	f.unqueue()
	for _, w := range f.everyWatch() {
		w.missed = true
		w.checkAt = now
		w.again = w.get != nil
		w.act(ctx, now)
	}
}

// everyWatch lists the watches by the end of their tokens.
func (f *feed) everyWatch() []*watch {
	every := slices.Clone(f.wakes)
	slices.SortFunc(every, func(a, b *watch) int { return a.now.Load().end.Compare(b.now.Load().end) })
	return every
}

// add makes w one of those that are served.
func (f *feed) add(ctx context.Context, w *watch) {
	f.watches[w.appid] = append(f.watches[w.appid], w)
	if w.keptAt = time.Now(); f.link.IsConnected() {
		w.keptAt = w.keptAt.Add(warmWait)
	}
	if f.link.IsClosed() {
		w.failOpen(f.link.down())
	}
	if f.all == nil && w.own == nil {
		if err := w.subscribe(); err != nil {
			w.failOpen(err)
		}
	}
	w.act(ctx, time.Now())
}

// remove undoes add.
func (f *feed) remove(w *watch) {
	f.watches[w.appid] = slices.DeleteFunc(f.watches[w.appid], func(other *watch) bool { return other == w })
	if len(f.watches[w.appid]) == 0 {
		delete(f.watches, w.appid)
	}
	f.wakes.drop(w)
	w.end()
}

// end is the last act: whoever waits for a newer token learns that there will be none.
func (f *feed) end() {
	if f.all != nil {
		f.all.close()
	}
	f.link.RemoveStatusListener(f.status)
	f.tell(ErrClosed)
	for _, w := range f.wakes {
		w.end()
	}
	close(f.ended)
}
