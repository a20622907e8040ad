package subscriber

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// sureAfter is how often a request is sent, at most, to learn whether it was denied.
const sureAfter = 5

// inbox sends requests and takes the replies to all of them over one subscription, which lives while any of them does.
type inbox struct {
	link
	base  string        // of all reply subjects
	alone chan struct{} // full while a request is sent that no other may disturb

	mu      sync.Mutex
	sub     *nats.Subscription
	before  error // LastError when sub was made
	heard   bool  // sub works: a reply came
	sent    uint64
	waiting map[string]chan *nats.Msg // by reply subject
}

func newInbox(l link) *inbox {
	return &inbox{link: l, base: l.NewInbox(), alone: make(chan struct{}, 1), waiting: make(map[string]chan *nats.Msg)}
}

// askAgain is how long a question of JetStream's waits for its answer before it is asked once more, and then twice as
// long, and so on: while a cluster elects, or a server rejoins it, questions get lost.
const askAgain = 500 * time.Millisecond

// ask is request for what may be asked twice: it asks again while no reply comes.
func (in *inbox) ask(ctx context.Context, subject string, data []byte) (*nats.Msg, error) {
	return in.exchange(ctx, subject, data, askAgain)
}

// request asks and waits for the reply until ctx ends, which must have a deadline. Its errors are ErrNotConnected,
// errSilent, *RightsError, nats.ErrNoResponders and ErrUnavailable.
func (in *inbox) request(ctx context.Context, subject string, data []byte) (*nats.Msg, error) {
	return in.exchange(ctx, subject, data, 0)
}

// exchange asks, again after a time if that isn't 0, and waits for the first reply.
func (in *inbox) exchange(ctx context.Context, subject string, data []byte, again time.Duration) (*nats.Msg, error) {
	if !in.IsConnected() {
		return nil, ErrNotConnected // and nothing piles up in the connection's buffer
	}
	to, reply, err := in.expect()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotConnected, err)
	}
	defer in.forget(to)
	if err := in.send(ctx, subject, to, reply, data); err != nil {
		return nil, err
	}
	msg, err := in.await(ctx, subject, to, reply, data, again)
	switch {
	case err != nil:
		_ = in.renew() // an error shows at the next request
		return nil, fmt.Errorf("%w on %s", ErrUnavailable, subject)
	case len(msg.Data) == 0 && msg.Header.Get("Status") == "503":
		return nil, nats.ErrNoResponders
	}
	return msg, nil
}

// await waits for the reply, and sends the request again after a time, twice that, and so on. With 0 it never does.
func (in *inbox) await(ctx context.Context, subject, to string, reply <-chan *nats.Msg, data []byte, again time.Duration) (*nats.Msg, error) {
	timer := time.NewTimer(again)
	defer timer.Stop()
	repeat := timer.C
	if again == 0 {
		repeat = nil
	}
	for {
		select {
		case msg := <-reply:
			return msg, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-repeat:
			if in.IsConnected() {
				_ = in.PublishRequest(subject, to, data) // fails only with the connection
			}
			again *= 2
			timer.Reset(again)
		}
	}
}

// send publishes a request and tells whether the server denied it, or the subscription to its reply. When an error of
// something else may have hidden that, it sends once more, while none of ours can. Requests stand being sent twice.
func (in *inbox) send(ctx context.Context, subject, to string, reply <-chan *nats.Msg, data []byte) error {
	for try := 1; ; try++ {
		before := in.LastError()
		if err := in.PublishRequest(subject, to, data); err != nil {
			return fmt.Errorf("%w: %w", ErrNotConnected, err)
		}
		if err := in.roundTrip(ctx); err != nil {
			return err
		}
		switch {
		case in.denied(before, subject):
			return &RightsError{Op: "publish", Subject: subject}
		case in.deaf():
			return &RightsError{Op: "subscribe", Subject: in.base[:strings.LastIndexByte(in.base, '.')] + ".>"}
		case !in.erred(before) || len(reply) > 0 || try == sureAfter:
			return nil
		case try == 1 && !in.isolate(ctx):
			return nil
		case try == 1:
			defer in.rejoin()
		}
		if err := in.renew(); err != nil {
			return fmt.Errorf("%w: %w", ErrNotConnected, err)
		}
	}
}

// refused returns a *RightsError if the server refused the subscription to subject that was made when LastError was before.
func (in *inbox) refused(ctx context.Context, subject string, before error) (denied, err error) {
	if err := in.roundTrip(ctx); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		switch {
		case in.denied(before, subject):
			return &RightsError{Op: "subscribe", Subject: subject}, nil
		case !in.erred(before) || try == sureAfter:
			return nil, nil
		case try == 1 && !in.isolate(ctx):
			return nil, ErrNotConnected
		case try == 1:
			defer in.rejoin()
		}
		before = in.LastError()
		if err := in.trySubscribe(ctx, subject); err != nil {
			return nil, err
		}
	}
}

// trySubscribe subscribes to subject for no longer than it takes the server to refuse.
func (in *inbox) trySubscribe(ctx context.Context, subject string) error {
	sub, err := in.Subscribe(subject, func(*nats.Msg) {})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotConnected, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only with the connection
	return in.roundTrip(ctx)
}

// isolate waits for the others that are isolated, and tells whether ctx let it. rejoin undoes it.
func (in *inbox) isolate(ctx context.Context) bool {
	select {
	case in.alone <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (in *inbox) rejoin() { <-in.alone }

// expect returns a subject for a reply and what it will come by.
func (in *inbox) expect() (to string, reply chan *nats.Msg, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.sub == nil {
		if err := in.subscribe(); err != nil {
			return "", nil, err
		}
	}
	in.sent++
	to = in.base + "." + strconv.FormatUint(in.sent, 36)
	reply = make(chan *nats.Msg, 1)
	in.waiting[to] = reply
	return to, reply, nil
}

// forget undoes expect. The last one to leave ends the subscription.
func (in *inbox) forget(to string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.waiting, to)
	if len(in.waiting) == 0 {
		_ = in.sub.Unsubscribe() // fails only with the connection
		in.sub = nil
	}
}

// subscribe makes sub. The caller holds in.mu.
func (in *inbox) subscribe() error {
	before := in.LastError()
	sub, err := in.Subscribe(in.base+".*", in.deliver)
	if err != nil {
		return err
	}
	in.sub, in.before, in.heard = sub, before, false
	return nil
}

// renew subscribes anew, unless the subscription is known to work, because the right may have been granted since, or its
// denial was not seen. No reply gets lost: the new subscription comes before the old one goes.
func (in *inbox) renew() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	old := in.sub
	if in.heard || old == nil {
		return nil
	}
	if err := in.subscribe(); err != nil {
		return err
	}
	return old.Unsubscribe()
}

// deaf tells whether the server denied the subscription.
func (in *inbox) deaf() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.heard && in.denied(in.before, in.base+".*")
}

func (in *inbox) deliver(msg *nats.Msg) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.heard = true
	if reply := in.waiting[msg.Subject]; reply != nil && len(reply) == 0 {
		reply <- msg
	}
}
