package wechatsdk

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wxtoken/wxtoken/subscriber"
)

// waitLimit is how long a call waits for a newer token at most. Most SDKs pass no context that would say so.
const waitLimit = 10 * time.Second

// lentKept is how many of the tokens that it gave out an Adapter recognises. Calls with the latest but one may be on their
// way; each older one would be a call that was put together a whole token's life before it was sent.
const lentKept = 4

// A Source is what an Adapter needs of a *subscriber.Source.
type Source interface {
	Token() (subscriber.Token, error)
	Refresh(ctx context.Context, refused subscriber.Token) (subscriber.Token, error)
	Transport(base http.RoundTripper) http.RoundTripper
}

// An Adapter gives an SDK the tokens of one source, in the shapes that SDKs ask for. It keeps no token: each call has the
// newest. All methods may be used by any number of goroutines. Errors are the source's; look into them with errors.Is and
// errors.As, as far as the SDK wraps them.
type Adapter struct {
	src  Source
	lent atomic.Pointer[[]subscriber.Token] // the last ones given out, the newest first
}

// New makes an Adapter. The source stays the caller's, who closes it when the SDK needs it no longer.
func New(src Source) *Adapter { return &Adapter{src: src} }

// newest is the source's token. An expired one is replaced first, which takes until ctx or waitLimit ends; if that fails,
// the expired one comes along with the error.
func (a *Adapter) newest(ctx context.Context) (subscriber.Token, error) {
	tok, err := a.src.Token()
	if errors.Is(err, subscriber.ErrExpired) {
		var newer subscriber.Token
		if newer, err = a.refresh(ctx, tok); err == nil {
			tok = newer
		}
	}
	a.lend(tok)
	return tok, err
}

// text is what SDKs are given.
func (a *Adapter) text(ctx context.Context) (string, error) {
	tok, err := a.newest(ctx)
	if err != nil {
		return "", err
	}
	return tok.AccessToken(), nil
}

// lend notes that tok was given out. Mostly it is known already.
func (a *Adapter) lend(tok subscriber.Token) {
	for tok.ID != "" {
		before := a.lent.Load()
		var known []subscriber.Token
		if before != nil {
			known = *before
		}
		if slices.ContainsFunc(known, func(one subscriber.Token) bool { return one.ID == tok.ID }) {
			return
		}
		now := append(slices.Clone(known), tok)
		slices.SortFunc(now, func(a, b subscriber.Token) int { return cmp.Compare(b.Generation, a.Generation) })
		now = now[:min(len(now), lentKept)]
		if a.lent.CompareAndSwap(before, &now) {
			return
		}
	}
}

// last is the newest token that was given out, if any was.
func (a *Adapter) last() (tok subscriber.Token, ok bool) {
	if lent := a.lent.Load(); lent != nil {
		return (*lent)[0], true
	}
	return subscriber.Token{}, false
}

// hasLent tells whether a token is one of those given out lately.
func (a *Adapter) hasLent(token string) bool {
	lent := a.lent.Load()
	return lent != nil && slices.ContainsFunc(*lent, func(tok subscriber.Token) bool { return tok.AccessToken() == token })
}

// replace returns a token that is newer than the one refused. What the source holds is reported only if it is that one:
// a source moves on to newer tokens only, so any other was replaced already.
func (a *Adapter) replace(isRefused func(subscriber.Token) bool) (subscriber.Token, error) {
	tok, err := a.src.Token()
	if errors.Is(err, subscriber.ErrExpired) || err == nil && isRefused(tok) {
		tok, err = a.refresh(context.Background(), tok)
	}
	a.lend(tok)
	return tok, err
}

func (a *Adapter) refresh(ctx context.Context, refused subscriber.Token) (subscriber.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, waitLimit)
	defer cancel()
	return a.src.Refresh(ctx, refused)
}
