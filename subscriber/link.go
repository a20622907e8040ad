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
// message's subject if it was denied. Another error on the same connection may push it out in between; inbox sees to that.
type link struct{ *nats.Conn }

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

// erred tells whether anything went wrong since LastError was before. If not, nothing was denied either.
func (l link) erred(before error) bool {
	now := l.LastError()
	return now != nil && now != before
}

// down tells why nothing can be sent, or nil.
func (l link) down() error {
	switch {
	case l.IsClosed():
		return fmt.Errorf("%w: the connection is closed for good", ErrNotConnected)
	case !l.IsConnected():
		return ErrNotConnected
	}
	return nil
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
