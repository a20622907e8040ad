package subscriber

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// watch keeps the snapshot of its source up to date. What it has belongs to the goroutine of run, which never blocks on
// the network: a check does that, in a goroutine of its own, and posts what it finds.
type watch struct {
	*Source
	schedule

	updates chan *nats.Msg
	sub     *nats.Subscription
	before  error // LastError when sub was made
	status  chan nats.Status
	posts   chan func(context.Context) // calls for run's goroutine

	check    *check          // the one that runs, or nil
	asking   bool            // a request to publishers runs
	kicked   []chan struct{} // who waits for a check that has not begun
	opening  bool            // Open waits
	verified bool            // the server was seen to accept sub
	synced   bool            // the clock is the server's, since the last connect
	timed    bool            // there is no better clock to be had than the one we have
	forced   time.Time       // when the connection was last made to reconnect
}

// updatesBuffer is how many updates may wait; the newest counts, and a check makes good what doesn't fit.
const updatesBuffer = 32

func newWatch(s *Source) (*watch, error) {
	w := &watch{
		Source:  s,
		updates: make(chan *nats.Msg, updatesBuffer),
		posts:   make(chan func(context.Context)),
		opening: true,
	}
	if err := w.subscribe(); err != nil {
		return nil, err
	}
	w.status = s.link.StatusChanged(nats.CONNECTED, nats.CLOSED)
	return w, nil
}

// subscribe asks for updates, anew when there was a subscription before.
func (w *watch) subscribe() error {
	w.unsubscribe()
	w.verified = false
	w.before = w.link.LastError()
	sub, err := w.link.ChanSubscribe(w.updateSubject(), w.updates)
	if err != nil {
		return fmt.Errorf("%w: subscribe to %s: %w", ErrNotConnected, w.updateSubject(), err)
	}
	w.sub = sub
	return nil
}

func (w *watch) unsubscribe() {
	if w.sub != nil {
		_ = w.sub.Unsubscribe() // fails only with the connection, which takes the subscription with it
	}
}

// updateSubject is that of the key alone, although rights are given for all of the account's: a source has one kind.
func (s *Source) updateSubject() string { return s.opts.names.UpdateSubject(s.key()) }

func (s *Source) key() string { return wire.Key(s.appid, wire.KindAccessToken) }

func (w *watch) run(ctx context.Context) {
	defer w.end()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		w.act(ctx)
		timer.Reset(time.Until(w.nextWake()))
		select {
		case <-ctx.Done():
			return
		case msg := <-w.updates:
			w.update(msg)
		case status := <-w.status:
			w.statusChanged(ctx, status)
		case post := <-w.posts:
			post(ctx)
		case done := <-w.kicks:
			w.kicked = append(w.kicked, done)
		case <-timer.C:
		}
	}
}

// post lets run's goroutine call f, with the watch's own ctx; it gives up when ctx, the poster's, ends.
func (w *watch) post(ctx context.Context, f func(context.Context)) {
	select {
	case w.posts <- f:
	case <-ctx.Done():
	}
}

// act does what is due.
func (w *watch) act(ctx context.Context) {
	now := time.Now()
	w.expire(now)
	w.tellOpen()
	if w.check != nil {
		return
	}
	if due(w.checkAt, now) || w.mayAsk() && due(w.askAt, now) || len(w.kicked) > 0 {
		w.startCheck(ctx, 0)
	}
}

func due(at, now time.Time) bool { return !at.After(now) }

// nextWake is when act has something to do that no message announces.
func (w *watch) nextWake() time.Time {
	snap := w.now.Load()
	wake := time.Now().Add(checkEvery)
	if w.check == nil {
		wake = earlier(wake, w.checkAt)
		if w.mayAsk() {
			wake = earlier(wake, w.askAt)
		}
	}
	if snap.err == nil {
		wake = earlier(wake, snap.end)
	}
	return wake
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// update takes a message of the subscription.
func (w *watch) update(msg *nats.Msg) {
	if len(w.updates) >= updatesBuffer-1 {
		w.checkAt = time.Now() // the newest may not have fitted in
	}
	newer, _ := w.take(msg)
	if newer && !w.timed {
		w.checkAt = time.Now() // so the bucket is there now: Open waits for its time
	}
}

// take reads a stored value and holds it if it is newer. It tells whether it was, and what was wrong with it.
func (w *watch) take(msg *nats.Msg) (newer bool, err error) {
	e, err := readEntry(msg, w.opts.names, w.appid)
	switch {
	case err == errNoEntry:
		return false, err
	case err != nil:
		w.health.set(ailingValue, err)
		return false, err
	}
	w.health.set(ailingValue, nil)
	return w.hold(e), nil
}

// hold makes e the current token if it is newer than the one held. Nothing else ever changes the token.
func (w *watch) hold(e entry) bool {
	if e.Generation <= w.now.Load().token.Generation {
		return false
	}
	snap := snapshotOf(e, *w.clock.Load(), time.Now())
	w.replace(snap)
	w.plan(snap.end, snap.life)
	if snap.err == nil {
		w.health.set(ailingRefresh, nil)
	}
	w.opts.log.Debug("token replaced", "token_id", snap.token.ID, "generation", snap.token.Generation,
		"expires_at", snap.token.ExpiresAt)
	return true
}

func (w *watch) replace(snap *snapshot) {
	close(w.now.Swap(snap).superseded)
}

// expire marks the end of the token.
func (w *watch) expire(now time.Time) {
	snap := w.now.Load()
	if snap.err != nil || snap.end.After(now) {
		return
	}
	w.replace(snap.failing(ErrExpired))
	w.askSoon(now)
	w.opts.log.Error("token expired without a successor", "token_id", snap.token.ID, "generation", snap.token.Generation)
}

// tellOpen lets Open return, once the token is good by the best clock that can be had.
func (w *watch) tellOpen() {
	if w.opening && w.timed && w.now.Load().err == nil {
		w.opening = false
		w.opened <- nil
	}
}

// failOpen makes Open fail if it still waits.
func (w *watch) failOpen(err error) {
	if w.opening {
		w.opening = false
		w.opened <- err
	}
}

func (w *watch) statusChanged(ctx context.Context, status nats.Status) {
	switch status {
	case nats.CONNECTED:
		w.connected(ctx)
	case nats.CLOSED:
		w.failOpen(w.connectionErr())
	}
}

// connected looks at once for what was missed while there was no connection.
func (w *watch) connected(ctx context.Context) {
	now := time.Now()
	w.retries = 0
	w.verified, w.synced = false, false
	if snap := w.now.Load(); due(snap.end.Add(-near(snap.life)), now) {
		w.askSoon(now)
	}
	w.startCheck(ctx, rand.N(reconnectSpread))
}

// mayAsk tells whether there is a token to ask a successor for, and no request that already does.
func (w *watch) mayAsk() bool { return !w.asking && w.now.Load().token.Generation > 0 }

// end is the last act: whoever waits for a newer token learns that there will be none.
func (w *watch) end() {
	w.unsubscribe()
	w.link.RemoveStatusListener(w.status)
	w.replace((&snapshot{}).failing(ErrClosed))
	close(w.ended)
}
