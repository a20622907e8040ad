package subscriber

import (
	"context"
	"errors"
	"time"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// renewEvery is how often, at most, a fleet's subscription is renewed because an update got lost.
const renewEvery = time.Minute

// probe learns what all sources of a feed need: whether the server accepts the subscription to all accounts, and what
// time it has there. It runs in a goroutine of its own, with what it needs copied from the feed, and posts what it finds.
// One that was abandoned posts nothing more.
type probe struct {
	f    *feed // for what never changes, and within posts
	stop context.CancelFunc

	all   *subscription // to verify, or nil
	sync  bool
	began life
}

// wantsProbe tells whether there is something to find out, and none does so. After a reconnect the tokens are more urgent
// than the time.
func (f *feed) wantsProbe() bool {
	return f.probe == nil && (f.unverified() || f.wantsSync())
}

func (f *feed) unverified() bool { return f.all != nil && !f.all.verified }

func (f *feed) wantsSync() bool { return !f.synced && !(f.timed && f.failing()) }

func (f *feed) startProbe(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	p := &probe{f: f, stop: stop, sync: f.wantsSync(), began: f.link.life()}
	if f.unverified() {
		all := *f.all
		p.all = &all
	}
	f.probe = p
	f.running.Go(func() {
		defer stop()
		p.run(ctx)
	})
}

func (f *feed) abandonProbe() {
	if f.probe != nil {
		f.probe.stop()
		f.probe = nil
	}
}

func (p *probe) run(ctx context.Context) {
	if p.all != nil {
		timely, cancel := context.WithTimeout(ctx, getTimeout)
		denied, err := p.f.refused(timely, p.all)
		cancel()
		if err != nil {
			p.post(ctx, func(ctx context.Context) { p.failed(ctx, err) })
			return
		}
		p.post(ctx, func(ctx context.Context) { p.f.accepted(ctx, denied) })
	}
	if p.sync {
		c, streamErr, err := p.syncClock(ctx)
		p.post(ctx, func(ctx context.Context) { p.timed(ctx, c, streamErr, err) })
	}
	p.post(ctx, func(context.Context) { p.f.probe = nil })
}

// post lets the feed's goroutine make the call, unless this probe is no longer the one that counts.
func (p *probe) post(ctx context.Context, call func(context.Context)) {
	p.f.post(ctx, func(ctx context.Context) {
		if p.f.probe == p {
			call(ctx)
		}
	})
}

// failed means that the connection doesn't carry anything now.
func (p *probe) failed(ctx context.Context, err error) {
	p.f.probe = nil
	p.f.failed(ctx, p.began, err)
	p.f.probeAt = time.Now().Add(p.f.probes.next(firstRetry, lastRetry))
}

// timed takes the server's time, or why it can't be had.
func (p *probe) timed(ctx context.Context, c clock, streamErr, err error) {
	f, now := p.f, time.Now()
	f.ails(ailingStream, errors.Join(streamErr, err))
	switch {
	case err == nil:
		f.syncedTo(ctx, c)
	case isShared(err):
		f.probeAt = now.Add(f.probes.next(firstRetry, lastRetry))
		return
	default:
		if f.probeAt = now; !f.unverified() { // nothing is got until it is verified
			f.probeAt = now.Add(jitter(checkEvery))
		}
		f.doWithLocalTime(ctx)
	}
	f.probes = 0
}

// syncedTo takes the server's time, and moves the ends of the held tokens accordingly.
func (f *feed) syncedTo(ctx context.Context, c clock) {
	f.clock.Store(&c)
	f.synced, f.timed = true, true
	now := time.Now()
	for _, w := range f.everyWatch() {
		w.synced(ctx, now)
	}
}

// doWithLocalTime means that there is no better time to be had.
func (f *feed) doWithLocalTime(ctx context.Context) {
	f.timed = true
	now := time.Now()
	for _, w := range f.everyWatch() {
		w.act(ctx, now)
	}
}

// notRepublished tells whether the bucket sends no updates at all.
func (f *feed) notRepublished() bool { return errors.Is(f.health.get(ailingStream), ErrNotRepublished) }

// watchAll subscribes to the updates of all accounts.
func (f *feed) watchAll() error {
	f.all = &subscription{subject: f.opts.names.UpdateSubject(wire.Key("*", wire.KindAccessToken))}
	return f.subscribe(f.all)
}

// accepted takes what a probe found out about the subscription to all accounts. Where the right to that is missing, each
// source gets a subscription of its own, for good: to try again and again would fill the logs of both sides.
func (f *feed) accepted(ctx context.Context, denied error) {
	if denied == nil {
		f.all.verified = true
		return
	}
	f.opts.log.Info("updates are watched account by account", "reason", denied)
	f.all.close()
	f.all = nil
	f.narrow.Store(true)
	for _, w := range f.everyWatch() {
		_ = w.subscribe() // fails only with the connection
		w.checkAt = time.Now()
		w.again = w.get != nil
		w.act(ctx, w.checkAt)
	}
}

// renew makes sure that the subscription to all accounts is alive.
func (f *feed) renew() {
	if f.all.verified && !f.notRepublished() && time.Since(f.renewed) > renewEvery {
		f.renewed = time.Now()
		_ = f.subscribe(f.all) // fails only with the connection
		f.probeAt = f.renewed  // nothing is got until it is verified
	}
}

// checkAll looks whether the right to watch all accounts was taken away, which the server says once.
func (f *feed) checkAll(ctx context.Context) {
	if f.all != nil && f.link.denied(f.all.before, f.all.subject) {
		f.accepted(ctx, &RightsError{Op: "subscribe", Subject: f.all.subject})
	}
}

// listEvery is how often accounts are listed by those who want to know of new ones. Any goroutine may call it.
func (f *feed) listEvery() time.Duration {
	if f.narrow.Load() || f.notRepublished() {
		return checkEveryBlind
	}
	return checkEvery
}

// tellReady lets OpenFleet return, once it is known how updates come and what time it is.
func (f *feed) tellReady() {
	if f.ready != nil && f.gets() {
		f.tell(nil)
	}
}

// tell lets OpenFleet return err, if it still waits.
func (f *feed) tell(err error) {
	if f.ready != nil {
		f.ready <- err
		f.ready = nil
	}
}
