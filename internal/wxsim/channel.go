package wxsim

import (
	"encoding/base64"
	"fmt"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// Channel is one of the two ways to a token. Their tokens don't touch each other.
type Channel string

// The channels, by the last part of their paths.
const (
	ChannelToken  Channel = "token"        // mints on every call
	ChannelStable Channel = "stable_token" // gives the same token again, until its last 5 minutes
)

var channels = []Channel{ChannelToken, ChannelStable}

func (a *account) channel(ch Channel) *channel {
	if ch == ChannelToken {
		return &a.channels[0]
	}
	return &a.channels[1]
}

// keptTokens is how many of a channel's tokens are remembered, so that a dead one can be told from an unknown one.
const keptTokens = 32

// tokenLength is that of most tokens seen in the wild.
const tokenLength = 136

// channel has at most two tokens that live. The account's lock guards it.
type channel struct {
	current, previous *token
	kept              []*token // the newest last, current and previous among them
	lastForce         time.Time
}

// token is one that was minted. What it was minted with never changes; its account's lock guards the rest.
type token struct {
	text    secret.String
	id      string
	account *account
	channel Channel
	minted  time.Time
	life    time.Duration

	deadline time.Time // when its end comes because of a newer token; zero while it is the newest
	revoked  bool
}

func (t *token) expires() time.Time { return t.minted.Add(t.life) }

// retire ends the token at that time, or when it ends anyway.
func (t *token) retire(at time.Time) {
	if end := t.expires(); at.After(end) {
		at = end
	}
	if t.deadline.IsZero() || at.Before(t.deadline) {
		t.deadline = at
	}
}

// check gives the code that refuses the token, or 0.
func (t *token) check(now time.Time, k Knobs) int {
	end := t.expires()
	switch {
	case t.revoked:
		return CodeInvalidCredential
	case !t.deadline.IsZero() && t.deadline.Before(end) && !now.Before(t.deadline):
		return k.replacedCode()
	case !now.Before(end):
		return CodeTokenExpired
	}
	return 0
}

// shift makes next the current token. The one before goes on until then; the one before that ends now, unless lenient.
func (c *channel) shift(next *token, now, then time.Time, lenient bool) {
	if c.previous != nil && !lenient {
		c.previous.retire(now)
	}
	if c.current != nil {
		c.current.retire(then)
		c.previous = c.current
	}
	c.current = next
	c.kept = append(c.kept, next)
}

// forget takes the tokens out that are too old to be remembered. With Lenient knobs and many mints, they may be alive.
func (c *channel) forget(now time.Time, k Knobs) []*token {
	var old []*token
	for len(c.kept) > keptTokens && c.kept[0].check(now, k) != 0 {
		old = append(old, c.kept[0])
		c.kept[0] = nil
		c.kept = c.kept[1:]
	}
	return old
}

// newToken looks like a real one: a number that grows over the months, and then letters.
func (s *Server) newToken(a *account, ch Channel, life time.Duration, now time.Time) *token {
	months := (now.Year()-2024)*12 + int(now.Month()) - 9
	prefix := fmt.Sprintf("%d_", max(10, 84+months))
	random := base64.RawURLEncoding.EncodeToString(a.randomBytes(tokenLength, s.seed != 0))
	text := (prefix + random)[:tokenLength]
	return &token{text: secret.New(text), id: wire.TokenID(text), account: a, channel: ch, minted: now, life: life}
}
