package subscriber

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// A Token is one access_token of an account. It is a value: copy it, compare it with ==, keep it. Printing, logging or
// marshalling it shows its id and never the token itself.
type Token struct {
	AppID      string
	ID         string    // the first 16 hex digits of the token's SHA-256: safe to log and to send
	ExpiresAt  time.Time // its end, translated into the local wall clock as it was when the token arrived
	Generation uint64    // orders an account's tokens: the greater is the newer
	Revision   uint64    // of the KV entry that the token came from

	text    secret.String
	rotated bool // nobody's report led to it
}

// AccessToken is what WeChat's API wants as access_token. Don't print it, and mind that errors of net/http repeat the URL
// that it stands in.
func (t Token) AccessToken() string { return t.text.Reveal() }

// String names the token without showing it.
func (t Token) String() string {
	return fmt.Sprintf("token %s of %s until %s", t.ID, t.AppID, t.ExpiresAt.Format(time.RFC3339))
}

// LogValue gives slog the token's name, without showing it.
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(slog.String("appid", t.AppID), slog.String("token_id", t.ID),
		slog.Uint64("generation", t.Generation), slog.Time("expires_at", t.ExpiresAt))
}

// snapshot is what a source knows at one moment. It never changes; superseded closes when another one takes its place.
type snapshot struct {
	token      Token
	err        error // nil while the token is good
	serverEnd  time.Time
	end        time.Time // serverEnd on the local monotonic clock
	life       time.Duration
	superseded chan struct{}
}

// live tells whether s holds a good token that is newer than generation.
func (s *snapshot) live(generation uint64) bool {
	return s.err == nil && s.token.Generation > generation
}

// snapshotOf is e as the local clock sees it.
func snapshotOf(e entry, c clock, now time.Time) *snapshot {
	s := &snapshot{
		token: Token{AppID: e.AppID, ID: e.ID, Generation: e.Generation, Revision: e.revision, text: e.Token,
			rotated: e.Reason != wire.ReasonReported && e.Reason != wire.ReasonManual},
		serverEnd: e.ExpiresAt,
		life:      e.ExpiresIn,
	}
	if s.life <= 0 {
		s.life = max(0, e.ExpiresAt.Sub(e.MintedAt))
	}
	return s.endingAt(localEnd(s.serverEnd, s.life, c, now), now)
}

// localEnd is when a token ends on the local clock. Whatever the clocks say, none lives longer from now than it does
// from its mint.
func localEnd(serverEnd time.Time, life time.Duration, c clock, now time.Time) time.Time {
	return earlier(c.local(serverEnd), now.Add(life))
}

// endingAt is a copy of s whose token ends at end.
func (s *snapshot) endingAt(end, now time.Time) *snapshot {
	moved := *s
	moved.end = end
	moved.token.ExpiresAt = end.Round(0) // without the monotonic reading, which means nothing to others
	moved.err = nil
	if !end.After(now) {
		moved.err = ErrExpired
	}
	moved.superseded = make(chan struct{})
	return &moved
}

// failing is a copy of s whose token is not to be used, because of err.
func (s *snapshot) failing(err error) *snapshot {
	failed := *s
	failed.err = err
	failed.superseded = make(chan struct{})
	return &failed
}

// entry is a token as the bucket holds it.
type entry struct {
	wire.Value
	revision uint64
}
