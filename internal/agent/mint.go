package agent

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/wxtoken/wxtoken/internal/httpd"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/subscriber"
)

const (
	maxMintBody     = 16 << 10
	mintBodyTimeout = 10 * time.Second
	// forceTimeout is how long a forced refresh may take; SDKs give up after 10 s and more.
	forceTimeout = 8 * time.Second
)

// credentials are what an SDK sends to a mint endpoint.
type credentials struct {
	GrantType string
	AppID     string
	Secret    secret.String
	Force     bool
}

// minted is WeChat's answer, in its order.
type minted struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"`
}

// giveToken answers GET /cgi-bin/token.
func (c *call) giveToken(w http.ResponseWriter, r *http.Request) *refusal {
	c.kind = kindToken
	if r.Method != http.MethodGet {
		return wechatError(codeNeedGet, "require GET method")
	}
	query := r.URL.Query()
	return c.give(w, r, credentials{query.Get("grant_type"), query.Get("appid"), secret.New(query.Get("secret")), false})
}

// giveStable answers POST /cgi-bin/stable_token.
func (c *call) giveStable(w http.ResponseWriter, r *http.Request) *refusal {
	c.kind = kindStable
	if r.Method != http.MethodPost {
		return wechatError(codeNeedPost, "require POST method")
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, io.NopCloser(&hurried{r.Body, c.began.Add(mintBodyTimeout)}), maxMintBody))
	var body struct {
		GrantType string `json:"grant_type"`
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
		Force     bool   `json:"force_refresh"`
	}
	if err != nil || json.Unmarshal(data, &body) != nil {
		return wechatError(codeNotJSON, "data format error")
	}
	return c.give(w, r, credentials{body.GrantType, body.AppID, secret.New(body.Secret), body.Force})
}

// hurried is a body that must have come by a time.
type hurried struct {
	io.Reader
	until time.Time
}

func (h *hurried) Read(p []byte) (int, error) {
	if time.Now().After(h.until) {
		return 0, errors.New("the body came too slowly")
	}
	return h.Reader.Read(p)
}

// wechatError is an error as WeChat sends it: with status 200.
func wechatError(code int, text string) *refusal {
	return &refusal{http.StatusOK, mintError, code, text}
}

// give answers with the token in hand. It never mints; a forced refresh reports that token first.
func (c *call) give(w http.ResponseWriter, r *http.Request, cred credentials) *refusal {
	a, f := c.entitled(r, cred)
	if f != nil {
		return wechatError(f.code, f.text)
	}
	c.account = a
	if err := a.live(); err != nil {
		return wechatError(codeBusy, "system error: "+tokenless(err).text)
	}
	token, err := a.opened.Load().src.Token()
	if err == nil && cred.Force {
		token, err = c.replaced(r.Context(), token)
	}
	left := int64(time.Until(token.ExpiresAt) / time.Second)
	if err != nil || left <= 0 {
		return wechatError(codeBusy, "system error: the token has ended")
	}
	c.status, c.outcome = http.StatusOK, fine
	httpd.JSON(w, http.StatusOK, minted{token.AccessToken(), left})
	return nil
}

// replaced is the token after a report of it: WeChat's own answer to a forced refresh that does nothing is the current
// token too.
func (c *call) replaced(ctx context.Context, token subscriber.Token) (subscriber.Token, error) {
	src := c.account.opened.Load().src
	ctx, cancel := context.WithTimeout(ctx, forceTimeout)
	defer cancel()
	if fresh, err := src.Refresh(ctx, token); err == nil {
		return fresh, nil
	} else if ctx.Err() == nil {
		c.log.Warn("a forced refresh changed nothing", "appid", c.account.appid, "err", err)
	}
	return src.Token()
}

// entitled finds the account whose token the credentials give a right to.
func (c *call) entitled(r *http.Request, cred credentials) (a *account, f *refusal) {
	if cred.AppID != "" {
		a, f = c.named(cred.AppID)
	} else {
		a, f = c.choose(r, "")
	}
	switch {
	case f != nil:
		return nil, f
	case cred.GrantType != "client_credential":
		return nil, wechatError(codeGrantType, "invalid grant_type")
	}
	keys := *c.keys.Load()
	switch {
	case keys == nil:
		return a, nil
	case cred.Secret.IsZero():
		return nil, wechatError(codeNoSecret, "appsecret missing: want the account's key of WX_AGENT_KEYS")
	case !same(keys[a.appid], cred.Secret):
		return nil, wechatError(codeSecret, "invalid appsecret: want the account's key of WX_AGENT_KEYS")
	}
	return a, nil
}

// same compares in constant time. No key is the same as none.
func same(key, given secret.String) bool {
	want, got := sha256.Sum256([]byte(key.Reveal())), sha256.Sum256([]byte(given.Reveal()))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && !key.IsZero()
}
