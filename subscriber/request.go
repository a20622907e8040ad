package subscriber

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// errSilent says that the server doesn't even answer pings in time: the connection is probably dead.
var errSilent = fmt.Errorf("%w: the server answers no ping", ErrNotConnected)

// link is the caller's connection.
//
// NATS tells of a missing right asynchronously: through the error handler, which belongs to the connection's owner, and
// through LastError. The server answers in order, so once a ping that follows a message is answered, LastError names that
// message's subject if it was denied. Another violation on the same connection may push it out in between; then the next
// attempt finds it.
type link struct{ *nats.Conn }

// request asks and waits for the reply until ctx ends, which must have a deadline. Its errors are ErrNotConnected,
// errSilent, *RightsError, nats.ErrNoResponders and ErrUnavailable.
func (l link) request(ctx context.Context, subject string, data []byte) (*nats.Msg, error) {
	if !l.IsConnected() {
		return nil, ErrNotConnected // and nothing piles up in the connection's buffer
	}
	replies := make(chan *nats.Msg, 1)
	inbox := l.NewInbox()
	before := l.LastError()
	sub, err := l.ChanSubscribe(inbox, replies)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotConnected, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only with the connection
	if err := l.PublishRequest(subject, inbox, data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotConnected, err)
	}
	if err := l.roundTrip(ctx); err != nil {
		return nil, err
	}
	if l.denied(before, subject) {
		return nil, &RightsError{Op: "publish", Subject: subject}
	}
	if l.denied(before, inbox) {
		return nil, &RightsError{Op: "subscribe", Subject: inbox[:strings.LastIndexByte(inbox, '.')] + ".>"}
	}
	return awaitReply(ctx, replies, subject)
}

func awaitReply(ctx context.Context, replies <-chan *nats.Msg, subject string) (*nats.Msg, error) {
	select {
	case msg := <-replies:
		if len(msg.Data) == 0 && msg.Header.Get("Status") == "503" {
			return nil, nats.ErrNoResponders
		}
		return msg, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w on %s", ErrUnavailable, subject)
	}
}

// roundTrip returns when the server has dealt with all that was sent before.
func (l link) roundTrip(ctx context.Context) error {
	err := l.FlushWithContext(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return errSilent
	default: // cut off while waiting, or stopped
		return ErrNotConnected
	}
}

// denied tells, after a round trip, whether the server denied the subject since LastError was before.
func (l link) denied(before error, subject string) bool {
	now := l.LastError()
	return errors.Is(now, nats.ErrPermissionViolation) && now != before && strings.Contains(now.Error(), `"`+subject+`"`)
}

// life is what tells a quiet connection from a dead one.
type life struct{ messages, reconnects uint64 }

func (l link) life() life {
	stats := l.Stats()
	return life{stats.InMsgs, stats.Reconnects}
}

// pause waits for d, or less when ctx ends; it tells whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
