package subscriber

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// getTimeout is how long the server may take for one get before the connection is suspect.
	getTimeout = 2500 * time.Millisecond
	// lateUpdate is the age at which a value that a get finds, and no update told of, means a lost update.
	lateUpdate = 2 * time.Second
	// maxGets is how many keys a feed gets at once.
	maxGets = 64
)

// get is one look at a key. It runs in a goroutine of its own, with what it needs copied from the watch, and posts what
// it finds. One that was abandoned posts nothing more.
type get struct {
	w      *watch // for what never changes, and within posts
	stop   context.CancelFunc
	kicked []chan struct{} // closed when the key was got

	watched subscription // the watch's own, if it has one
	missed  bool
	began   life
}

func (f *feed) enqueue(w *watch) {
	w.queued = true
	f.queue = append(f.queue, w)
}

func (f *feed) unqueue() {
	for _, w := range f.queue {
		w.queued = false
	}
	f.queue = nil
}

// gets tells whether gets are worth it: the clock is known, and that new tokens will be seen.
func (f *feed) gets() bool { return f.timed && (f.all == nil || f.all.verified) }

// failing tells whether the last get failed in a way that the others would too.
func (f *feed) failing() bool { return f.retries > 0 }

func (f *feed) wantsGet() bool { return f.gets() && f.flying < f.window && len(f.queue) > 0 }

// startGets begins as many gets as may run. After one that failed for all alike, only one at a time is tried.
func (f *feed) startGets(ctx context.Context, now time.Time) {
	for f.wantsGet() && due(f.getAt, now) {
		w := f.queue[0]
		f.queue = f.queue[1:]
		if w.queued { // else it is gone
			w.queued = false
			w.startGet(ctx)
		}
	}
}

func (w *watch) startGet(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	g := &get{w: w, stop: stop, kicked: w.kicked, missed: w.missed, began: w.feed.link.life()}
	w.get, w.kicked, w.missed = g, nil, false
	w.feed.flying++
	if w.own != nil {
		if w.own.verified && w.health.get(ailingWatch) != nil {
			_ = w.subscribe() // the right may have been granted since; the get tells
		}
		g.watched = *w.own
	}
	w.running.Go(func() {
		defer stop()
		g.run(ctx)
	})
}

// abandonGet stops the get that runs. Who waits for it waits for the next.
func (w *watch) abandonGet() {
	if w.get == nil {
		return
	}
	w.get.stop()
	w.kicked = append(w.kicked, w.get.kicked...)
	w.get = nil
	w.feed.flying--
}

// run posts when the subscription is known to work, and when the key was got.
func (g *get) run(ctx context.Context) {
	timely, cancel := context.WithTimeout(ctx, getTimeout)
	defer cancel()
	if g.watched.sub != nil {
		denied, err := g.subscriptionDenied(timely)
		if err != nil {
			g.post(ctx, func(ctx context.Context) { g.ended(ctx, nil, err) })
			return
		}
		g.post(ctx, func(context.Context) { g.w.subscribed(denied) })
	}
	msg, err := g.fetch(timely)
	g.post(ctx, func(ctx context.Context) { g.ended(ctx, msg, err) })
}

// post lets the feed's goroutine make the call, unless this get is no longer the one that counts.
func (g *get) post(ctx context.Context, call func(context.Context)) {
	g.w.feed.post(ctx, func(ctx context.Context) {
		if g.w.get == g {
			call(ctx)
		}
	})
}

// subscriptionDenied tells whether the server refused the watch's own subscription.
func (g *get) subscriptionDenied(ctx context.Context) (denied, err error) {
	sub, f := g.watched, g.w.feed
	if !sub.verified {
		return f.refused(ctx, &sub)
	}
	if f.link.denied(sub.before, sub.subject) {
		return &RightsError{Op: "subscribe", Subject: sub.subject}, nil
	}
	return nil, nil
}

// refused tells whether the server refused a subscription.
func (f *feed) refused(ctx context.Context, s *subscription) (denied, err error) {
	if !f.link.IsConnected() {
		return nil, ErrNotConnected
	}
	return f.inbox.refused(ctx, s.subject, s.before)
}

// fetch asks for the key's last value.
func (g *get) fetch(ctx context.Context) (*nats.Msg, error) {
	f := g.w.feed
	names := f.opts.names
	msg, err := f.inbox.ask(ctx, "$JS.API.DIRECT.GET."+names.Stream()+"."+names.KeySubject(g.w.key()), nil)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("%w %s", ErrNoBucket, names.Bucket)
	case err != nil:
		return nil, err
	}
	if status := msg.Header.Get("Status"); status != "" && msg.Header.Get("Nats-Sequence") == "" {
		return nil, statusErr(status, msg.Header.Get("Description"), names.Bucket)
	}
	return msg, nil
}

func statusErr(status, description, bucket string) error {
	if status == "404" {
		return fmt.Errorf("%w in bucket %s", ErrNoKey, bucket)
	}
	return fmt.Errorf("%w: bucket %s: %.8q %.100q", ErrUnavailable, bucket, status, description)
}

// ended takes the result of a get, and sees to what comes next.
func (g *get) ended(ctx context.Context, msg *nats.Msg, err error) {
	w, f, now := g.w, g.w.feed, time.Now()
	w.get = nil
	f.flying--
	if isShared(err) {
		f.failed(ctx, g.began, err)
		w.missed = w.missed || g.missed
		w.checkAt = now
	} else {
		f.worked(ctx)
		w.got(g, msg, err, now)
		w.ask(ctx, now)
	}
	if err != nil && onlyRights(err) == nil {
		w.keptAt = now
	}
	for _, done := range g.kicked {
		close(done)
	}
	w.act(ctx, now)
}

// isShared tells whether a get that failed because of err would have failed for any key.
func isShared(err error) bool { return errors.Is(err, ErrNotConnected) || errors.Is(err, ErrNoBucket) }

// failed takes an error that meets all gets alike.
func (f *feed) failed(ctx context.Context, began life, err error) {
	now := time.Now()
	f.ails(ailingStore, err)
	f.window = 1
	switch {
	case errors.Is(err, ErrNoBucket):
		f.synced = false // the one that comes may be another
	case errors.Is(err, errSilent):
		f.suspect(began)
	}
	if !due(f.getAt, now) {
		return // another one of those that ran at once
	}
	first := !f.failing()
	f.getAt = now.Add(f.retries.next(firstRetry, lastRetry))
	if first {
		for _, w := range f.queue {
			w.act(ctx, now)
		}
	}
}

// worked means that gets are answered.
func (f *feed) worked(ctx context.Context) {
	f.ails(ailingStore, nil)
	f.checkAll(ctx)
	f.window, f.retries = maxGets, 0
}

// subscribed takes what a get found out about the watch's own subscription. That LastError doesn't name it means something
// right after it was made only: later, another violation may have taken the place of ours.
func (w *watch) subscribed(denied error) {
	if denied != nil || !w.own.verified {
		w.ails(ailingWatch, denied)
	}
	w.own.verified = true
}

// got takes what a get brought for this key, or why it brought nothing.
func (w *watch) got(g *get, msg *nats.Msg, err error, now time.Time) {
	if err == nil {
		err = w.takeGot(g, msg)
	}
	older := err == errOlder
	if older {
		err = nil
	}
	w.ails(ailingStore, err)
	switch {
	case older:
		w.checkOlder(now)
	case err == nil:
		w.checkAgain(now, w.blind())
	default:
		w.checkRetry(now, len(w.feed.wakes))
	}
	if w.again || err == nil && w.own != nil && !w.own.verified { // is the new subscription accepted?
		w.again, w.checkAt = false, now
	}
	if rights := errors.Join(w.health.get(ailingWatch), onlyRights(err)); rights != nil {
		w.failOpen(rights)
	}
}

// takeGot holds the value that a get brought. A value that is no good is told of, but nothing that a retry mends.
func (w *watch) takeGot(g *get, msg *nats.Msg) error {
	newer, err := w.take(msg)
	switch {
	case err == errOlder:
		return err
	case err == errNoEntry:
		return fmt.Errorf("%w in bucket %s", ErrNoKey, w.opts.names.Bucket)
	case newer && !g.missed && w.late(msg):
		w.lost(g)
	}
	return nil
}

// late tells whether a stored value is so old that its update must have been lost.
func (w *watch) late(msg *nats.Msg) bool {
	origin, _ := w.opts.names.OriginOf(msg.Header)
	return !origin.Stored.IsZero() && time.Since(w.feed.clock.Load().local(origin.Stored)) > lateUpdate
}

// lost renews the subscription over which an update got lost: maybe the server dropped it.
func (w *watch) lost(g *get) {
	switch {
	case w.own == nil:
		w.feed.renew()
	case g.watched.verified:
		_ = w.subscribe() // fails only with the connection
	}
}

func onlyRights(err error) error {
	if denied, ok := errors.AsType[*RightsError](err); ok {
		return denied
	}
	return nil
}
