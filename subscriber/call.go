package subscriber

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/tokenquery"
)

// healLimit bounds the refresh within a call, whose reply is in hand meanwhile.
const healLimit = 15 * time.Second

// call is one RoundTrip, with the replays that it takes.
type call struct {
	*transport
	req  *http.Request
	kept *recorder // of a body that can't be had again otherwise
	sent Token     // with the last attempt

	// What was done about refusals. They are told apart because a token may die a moment after it replaced another.
	attempts  int
	caughtUp  bool // took the newer token that was in hand
	refreshed bool // and what came of that was no mere rotation that was under way
}

// maxAttempts bounds the sends of one call, whatever becomes of the tokens meanwhile.
const maxAttempts = 4

// do sends the request, first with the token that it carries, if it does.
func (c *call) do(carried string) (*http.Response, error) {
	var err error
	if c.sent, err = c.first(carried); err != nil {
		c.closeBody()
		return nil, fmt.Errorf("add access_token: %w", err)
	}
	resp, refusal, err := c.send(c.firstBody(), carried != "")
	for refusal != nil {
		refusal.readOn()
		next, found := c.successor()
		if ctx := c.req.Context(); ctx.Err() != nil {
			resp.Body.Close()
			return nil, context.Cause(ctx)
		}
		if !found {
			return resp, nil
		}
		body, again := c.bodyAgain()
		if !again {
			return resp, nil
		}
		resp.Body.Close()
		c.sent = next
		resp, refusal, err = c.send(body, false)
	}
	return resp, err
}

// first is the token to send first.
func (c *call) first(carried string) (Token, error) {
	held, err := c.src.Token()
	switch {
	case carried != "" && carried != held.AccessToken():
		return Token{text: secret.New(carried)}, nil
	case carried != "" || err == nil:
		return held, nil
	case !errors.Is(err, ErrExpired):
		return Token{}, err
	}
	fresh, failed := c.refresh(held)
	if failed != nil {
		return Token{}, fmt.Errorf("%w: %w", err, failed)
	}
	return fresh, nil
}

// successor is what to try after the token that was refused: the one in hand if it is newer, else what a refresh brings.
func (c *call) successor() (next Token, found bool) {
	held, err := c.src.Token()
	if err == nil && held.AccessToken() != c.sent.AccessToken() && !c.caughtUp {
		c.caughtUp = true
		return held, true
	}
	if c.refreshed || c.attempts == maxAttempts {
		return Token{}, false
	}
	next, err = c.refresh(c.sent)
	c.refreshed = !next.rotated || next.AccessToken() == c.sent.AccessToken()
	return next, err == nil
}

// refresh leaves a part of the request's time to the replay, or to the caller who gets the refusal.
func (c *call) refresh(refused Token) (Token, error) {
	limit := healLimit
	if deadline, bounded := c.req.Context().Deadline(); bounded {
		limit = min(limit, time.Until(deadline)*3/4)
	}
	ctx, cancel := context.WithTimeout(c.req.Context(), limit)
	defer cancel()
	return c.src.Refresh(ctx, refused)
}

// outgoing is a request as base gets it. One allocation holds all of it.
type outgoing struct {
	req http.Request
	url url.URL
}

// send makes one attempt. When WeChat refused the token, refusal is the body of the reply.
func (c *call) send(body io.ReadCloser, asIs bool) (resp *http.Response, refusal *peeked, err error) {
	c.attempts++
	out := &outgoing{req: *c.req, url: *c.req.URL}
	out.req.URL = &out.url
	out.req.Body = body
	if refersToken(c.req) {
		out.req.Header = withoutReferer(c.req.Header)
	}
	token := c.sent.AccessToken()
	if !asIs {
		out.url.RawQuery = tokenquery.Set(out.url.RawQuery, token)
	}
	resp, err = c.base.RoundTrip(&out.req)
	if err != nil || resp == nil {
		return nil, nil, scrub(err, token)
	}
	resp.Request = c.req // what base got shows the token
	hideLocation(resp.Header, token)
	return resp, peekRefusal(resp, c.req.Method), nil
}
