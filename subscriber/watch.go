package subscriber

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

// watch keeps the snapshot of its source up to date. What it has belongs to the feed's goroutine, which calls all its
// methods.
type watch struct {
	*Source
	schedule

	own   *subscription // to the key's updates; nil: the feed has one for all
	wake  time.Time     // when to act next
	place int           // among the feed's wakes; -1: none

	get    *get            // the one that runs, or nil
	queued bool            // waits for its turn to get
	again  bool            // the get that runs may have come too early
	missed bool            // updates may have been lost for a reason that is known
	asking bool            // a request to publishers runs
	kicked []chan struct{} // who waits for a get that has not begun
	opened chan<- error    // Open waits; nil: no more
	kept   *entry          // a token from a file that waits to be needed, or nil
	keptAt time.Time       // when it is
}

func newWatch(s *Source, opened chan<- error) *watch {
	return &watch{Source: s, place: -1, opened: opened, missed: true} // what was stored before is no lost update
}

// subscribe asks for the updates of this key alone, anew when there was a subscription before.
func (w *watch) subscribe() error {
	if w.own == nil {
		w.own = &subscription{subject: w.opts.names.UpdateSubject(w.key())}
	}
	return w.feed.subscribe(w.own)
}

// act does what is due.
func (w *watch) act(ctx context.Context, now time.Time) {
	w.expire(now)
	w.useKept(now)
	w.tellOpen()
	asks := w.mayAsk() && due(w.askAt, now)
	switch {
	case !w.busy() && (asks || due(w.checkAt, now)):
		w.feed.enqueue(w)
	case asks && w.feed.failing():
		w.ask(ctx, now) // the publishers may answer although the bucket doesn't
	}
	w.feed.wakes.set(w, w.nextWake(now))
}

// nextWake is when act has something to do that no message announces.
func (w *watch) nextWake(now time.Time) time.Time {
	wake := now.Add(checkEvery)
	if !w.busy() {
		wake = earlier(wake, w.checkAt)
	}
	if w.mayAsk() && (!w.busy() || w.feed.failing()) {
		wake = earlier(wake, w.askAt)
	}
	if snap := w.now.Load(); snap.err == nil {
		wake = earlier(wake, snap.end)
	}
	if w.kept != nil {
		wake = earlier(wake, w.keptAt)
	}
	return wake
}

// busy tells whether a get will end by itself in act being called.
func (w *watch) busy() bool { return w.queued || w.get != nil }

// mayAsk tells whether there is a token to ask a successor for, and no request that already does.
func (w *watch) mayAsk() bool { return !w.asking && w.now.Load().token.Generation > 0 }

// kick gets the key for those who wait for it. Where that can't work now, it closes done at once.
func (w *watch) kick(ctx context.Context, done chan struct{}) {
	now := time.Now()
	if !w.feed.gets() || !due(w.feed.getAt, now) {
		close(done)
		return
	}
	w.kicked = append(w.kicked, done)
	w.checkAt = now
	w.again = w.get != nil
	w.act(ctx, now)
}

// take reads a stored value and holds it if it is newer. It tells whether it was, and what was wrong with it.
func (w *watch) take(msg *nats.Msg) (newer bool, err error) {
	e, err := readEntry(msg, w.opts.names, w.appid)
	switch {
	case err == errNoEntry:
		return false, err
	case err != nil:
		w.ails(ailingValue, err)
		return false, err
	}
	w.ails(ailingValue, nil)
	if e.Generation < w.now.Load().token.Generation {
		return false, errOlder
	}
	if w.hold(e) {
		w.keep(e.Value)
		return true, nil
	}
	return false, nil
}

// hold makes e the current token if it is newer than the one held. Nothing else ever changes the token.
func (w *watch) hold(e entry) bool {
	held := w.now.Load()
	if e.Generation <= held.token.Generation {
		return false
	}
	now := time.Now()
	snap := snapshotOf(e, *w.feed.clock.Load(), now)
	w.learn(held, e)
	w.replace(snap)
	w.plan(snap.end, snap.life)
	if snap.err == nil {
		w.ails(ailingRefresh, nil)
	} else {
		w.askSoon(now) // and not all services in the same instant
	}
	w.log().Debug("token replaced", "token_id", snap.token.ID, "generation", snap.token.Generation,
		"expires_at", snap.token.ExpiresAt)
	return true
}

func (w *watch) replace(snap *snapshot) {
	close(w.now.Swap(snap).superseded)
}

// synced moves the end of the held token to where the feed's clock has it.
func (w *watch) synced(ctx context.Context, now time.Time) {
	defer w.act(ctx, now)
	snap := w.now.Load()
	if snap.token.Generation == 0 {
		return
	}
	end := localEnd(snap.serverEnd, snap.life, *w.feed.clock.Load(), now)
	if end.Sub(snap.end).Abs() < clockNoise {
		return
	}
	w.replace(snap.endingAt(end, now))
	w.plan(end, snap.life)
}

// expire marks the end of the token.
func (w *watch) expire(now time.Time) {
	snap := w.now.Load()
	if snap.err != nil || snap.end.After(now) {
		return
	}
	w.replace(snap.failing(ErrExpired))
	w.askSoon(now)
	w.log().Error("token expired without a successor", "token_id", snap.token.ID, "generation", snap.token.Generation)
}

// tellOpen lets Open return, once the token is good by the best clock that can be had.
func (w *watch) tellOpen() {
	if w.opened != nil && w.feed.timed && w.now.Load().err == nil {
		w.failOpen(nil)
	}
}

// failOpen makes Open fail, or return when err is nil, if it still waits.
func (w *watch) failOpen(err error) {
	if w.opened != nil {
		w.opened <- err
		w.opened = nil
	}
}

// connected forgets the get that was cut off. Another will follow.
func (w *watch) connected(ctx context.Context, now time.Time) {
	w.retries = 0
	if w.own != nil {
		w.own.verified = false
	}
	w.abandonGet()
	if snap := w.now.Load(); due(snap.end.Add(-near(snap.life)), now) {
		w.askSoon(now)
	}
	w.act(ctx, now)
}

// blind tells whether new tokens are found by gets only.
func (w *watch) blind() bool {
	return w.health.get(ailingWatch) != nil || w.feed.notRepublished()
}

// end is the last act: whoever waits for a newer token learns that there will be none.
func (w *watch) end() {
	w.abandonGet()
	w.queued = false
	if w.own != nil {
		w.own.close()
	}
	w.failOpen(ErrClosed)
	w.replace((&snapshot{}).failing(ErrClosed))
}
