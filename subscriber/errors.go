package subscriber

import (
	"errors"
	"fmt"
	"time"
)

// ErrExpired says that the held token has come to its end and no newer one was seen. The source goes on asking for one
// by itself; look at Err for what keeps the publishers from it.
var ErrExpired = errors.New("token expired without a successor")

// ErrClosed says that Close was called. Open a new source.
var ErrClosed = errors.New("source is closed")

// ErrNotConnected says that the NATS connection is down or closed. A source heals when the connection does; a closed
// connection stays closed, so close the source too and open another.
var ErrNotConnected = errors.New("not connected to NATS")

// ErrNoBucket says that nothing serves the KV bucket: no publisher has made it yet, its name is another (WithBucket), it
// doesn't allow direct gets, or JetStream is off or has no leader.
var ErrNoBucket = errors.New("nothing serves the bucket")

// ErrNoKey says that the bucket holds no token for the account: is the account known to the publishers, and did their
// first mint succeed?
var ErrNoKey = errors.New("no token is stored")

// ErrBadValue says that something that is no token of this account was found under its key. The source keeps the last
// good token; find out who else writes to the bucket.
var ErrBadValue = errors.New("what is stored is no token of this account")

// ErrNotRepublished says that the bucket doesn't republish stored values on the update subject, so that new tokens are
// found by asking only. Compare the stream's republish setting with WithBucket and WithSubjectPrefix.
var ErrNotRepublished = errors.New("the bucket does not republish updates")

// ErrNoPublisher says that no publisher runs, or none with this subject prefix. The last token stays in use until its end.
var ErrNoPublisher = errors.New("no publisher is running")

// ErrUnknownAccount says that the publishers don't hold the account. Compare its AppID with their configuration.
var ErrUnknownAccount = errors.New("the publishers do not hold this account")

// ErrUnavailable says that bucket or publishers are there but didn't get it done in time. Trying again is right.
var ErrUnavailable = errors.New("no answer in time")

// A RightsError says that the NATS user lacks a right that a source needs. Grant it on the server; a source that is open
// notices by itself.
type RightsError struct {
	Op      string // "publish" or "subscribe"
	Subject string
}

func (e *RightsError) Error() string {
	return fmt.Sprintf("NATS user has no right to %s on %s", e.Op, e.Subject)
}

// A BudgetSpentError says that the publishers mint nothing more on request until RetryAt, so that no broken service can
// spend the day's quota. Don't retry before; scheduled refreshes go on.
type BudgetSpentError struct {
	RetryAt time.Time // by the local clock; zero when the publisher didn't say
}

func (e *BudgetSpentError) Error() string {
	if e.RetryAt.IsZero() {
		return "budget for refreshes is spent"
	}
	return "budget for refreshes is spent until " + e.RetryAt.Format(time.RFC3339)
}

// A RefusedError says that WeChat refused to give the publishers a new token. A human must act for most codes; the
// publishers' log says what to do.
type RefusedError struct {
	ErrCode int    // WeChat's; 0: it gave no answer
	ErrMsg  string // WeChat's
}

// passes tells whether WeChat gave no answer, or was busy: another publisher may reach it, or the same one in a moment.
func (e *RefusedError) passes() bool { return e.ErrCode == 0 || e.ErrCode == -1 }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("WeChat refused a new token: %d %.200q", e.ErrCode, e.ErrMsg)
}
