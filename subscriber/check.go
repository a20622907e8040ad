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
	// lateUpdate is the age at which a value that a check finds, and no update told of, means a lost update.
	lateUpdate = 2 * time.Second
)

// check is one look at the bucket. It runs in a goroutine of its own, with what it needs copied from the watch, and
// posts what it finds to the watch's goroutine. A check that was replaced by another posts nothing more.
type check struct {
	w      *watch // for what never changes, and within posts
	stop   context.CancelFunc
	kicked []chan struct{} // closed when the key was got

	verify bool  // the subscription is new to the server
	sync   bool  // the server's time isn't known since the last connect
	timed  bool  // but a clock good enough to hold tokens by is
	before error // LastError when the subscription was made
	began  life
}

// startCheck begins a check after delay, in place of one that runs.
func (w *watch) startCheck(ctx context.Context, delay time.Duration) {
	if w.check != nil {
		w.check.stop()
		w.kicked = append(w.kicked, w.check.kicked...)
	}
	if w.health.get(ailingWatch) != nil && w.verified {
		_ = w.subscribe() // the right may have been granted since; the check tells
	}
	ctx, stop := context.WithCancel(ctx)
	c := &check{w: w, stop: stop, kicked: w.kicked, verify: !w.verified, sync: !w.synced, timed: w.timed,
		before: w.before, began: w.link.life()}
	w.check, w.kicked = c, nil
	w.running.Go(func() {
		defer stop()
		if pause(ctx, delay) {
			c.run(ctx)
		}
	})
}

// run posts when the subscription is known to work, when the clock is known and when the key was got. A first token needs
// the clock; after a reconnect the token is more urgent.
func (c *check) run(ctx context.Context) {
	defer c.post(ctx, func(context.Context) { c.w.check = nil })
	denied, err := c.subscriptionDenied(ctx)
	if err != nil {
		c.post(ctx, func(ctx context.Context) { c.w.got(ctx, c, nil, err) })
		return
	}
	c.post(ctx, func(context.Context) { c.w.subscribed(denied) })
	if c.sync && !c.timed {
		c.syncClock(ctx)
	}
	msg, err := c.get(ctx)
	c.post(ctx, func(ctx context.Context) { c.w.got(ctx, c, msg, err) })
	if c.sync && c.timed && err == nil {
		c.syncClock(ctx)
	}
}

// post lets the watch's goroutine call f, unless this check is no longer the one that counts.
func (c *check) post(ctx context.Context, f func(context.Context)) {
	c.w.post(ctx, func(ctx context.Context) {
		if c.w.check == c {
			f(ctx)
		}
	})
}

// subscriptionDenied tells whether the server refused the subscription to updates.
func (c *check) subscriptionDenied(ctx context.Context) (denied, err error) {
	if c.verify {
		if !c.w.link.IsConnected() {
			return nil, ErrNotConnected
		}
		ctx, cancel := context.WithTimeout(ctx, getTimeout)
		defer cancel()
		if err := c.w.link.roundTrip(ctx); err != nil {
			return nil, err
		}
	}
	if subject := c.w.updateSubject(); c.w.link.denied(c.before, subject) {
		return &RightsError{Op: "subscribe", Subject: subject}, nil
	}
	return nil, nil
}

// get asks for the key's last value.
func (c *check) get(ctx context.Context) (*nats.Msg, error) {
	names := c.w.opts.names
	subject := "$JS.API.DIRECT.GET." + names.Stream() + "." + names.KeySubject(c.w.key())
	ctx, cancel := context.WithTimeout(ctx, getTimeout)
	defer cancel()
	msg, err := c.w.link.request(ctx, subject, nil)
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
	return fmt.Errorf("%w: bucket %s: %.8s %.100q", ErrUnavailable, bucket, status, description)
}

// subscribed takes what a check found out about the subscription. That LastError doesn't name it means something right
// after it was made only: later, another violation may have taken the place of ours.
func (w *watch) subscribed(denied error) {
	if denied != nil || !w.verified {
		w.health.set(ailingWatch, denied)
	}
	w.verified = true
}

// got takes the result of a check's get, and sees to what comes next.
func (w *watch) got(ctx context.Context, c *check, msg *nats.Msg, err error) {
	now := time.Now()
	if err == nil {
		err = w.takeGot(c, msg)
	}
	w.health.set(ailingStore, err)
	if err == nil {
		w.checkAgain(now, w.blind())
	} else {
		w.checkRetry(now)
	}
	if err == nil && !w.verified {
		w.checkAt = now // is the new subscription accepted?
	}
	w.judge(c, err)
	for _, done := range c.kicked {
		close(done)
	}
	c.kicked = nil
	w.ask(ctx, now)
}

// takeGot holds the value that a get brought.
func (w *watch) takeGot(c *check, msg *nats.Msg) error {
	newer, err := w.take(msg)
	switch {
	case err == errNoEntry:
		return fmt.Errorf("%w in bucket %s", ErrNoKey, w.opts.names.Bucket)
	case newer && !c.verify && w.late(msg):
		_ = w.subscribe() // an update was lost: maybe the server dropped the subscription
	}
	return nil
}

// late tells whether a stored value is so old that its update must have been lost.
func (w *watch) late(msg *nats.Msg) bool {
	origin, _ := w.opts.names.OriginOf(msg.Header)
	return !origin.Stored.IsZero() && time.Since(w.clock.Load().local(origin.Stored)) > lateUpdate
}

// blind tells whether new tokens are found by checks only.
func (w *watch) blind() bool {
	return w.health.get(ailingWatch) != nil || errors.Is(w.health.get(ailingStream), ErrNotRepublished)
}

// judge draws the consequences of a get that failed because of err, beyond trying again.
func (w *watch) judge(c *check, err error) {
	switch {
	case errors.Is(err, ErrNoBucket):
		w.synced = false // the one that comes may be another
	case errors.Is(err, errSilent):
		w.suspect(c)
	}
	rights := errors.Join(w.health.get(ailingWatch), onlyRights(err))
	if rights != nil {
		w.failOpen(rights)
	}
}

func onlyRights(err error) error {
	if denied, ok := errors.AsType[*RightsError](err); ok {
		return denied
	}
	return nil
}

// suspect makes the connection reconnect if it seems dead: nothing came since the check began, nobody else has made it
// reconnect since, and it isn't done over and over.
func (w *watch) suspect(c *check) {
	if !w.link.IsConnected() || w.link.life() != c.began || time.Since(w.forced) < forceEvery {
		return
	}
	w.forced = time.Now()
	w.opts.log.Warn("connection to NATS seems dead: reconnecting")
	_ = w.link.ForceReconnect() // fails only if the connection is closed
}
