package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// Minted is a token that WeChat gave.
type Minted struct {
	Token     secret.String
	ExpiresIn time.Duration // what WeChat said: whole seconds, at least one
	SentAt    time.Time     // just before the call was sent, with its monotonic reading: ExpiresIn counts from here at the earliest
}

// Mint asks WeChat for a token, in one attempt. With force a StableToken account gets a new token even though the
// current one is good (20 a day, 30 s apart); a PlainToken account gets a new one anyway. Every error is an *Error.
func (a *Account) Mint(ctx context.Context, force bool) (Minted, error) {
	ans, err := a.client.do(ctx, a.mintCall(force))
	if err != nil {
		return Minted{}, err
	}
	return Minted{secret.New(ans.token), ans.expiresIn, ans.sentAt}, nil
}

func (a *Account) mintCall(force bool) call {
	c := call{op: OpMint, hide: a.secret, complete: reply.isMinted}
	if a.endpoint == PlainToken {
		c.method, c.path, c.query = http.MethodGet, "cgi-bin/token", a.plainQuery()
	} else {
		c.method, c.path, c.body = http.MethodPost, "cgi-bin/stable_token", a.stableBody(force)
	}
	return c
}

func (a *Account) plainQuery() url.Values {
	return url.Values{
		"grant_type": {"client_credential"},
		"appid":      {a.appid},
		"secret":     {a.secret.Reveal()},
	}
}

func (a *Account) stableBody(force bool) []byte {
	body, _ := json.Marshal(struct { // strings and a bool: there is nothing to fail
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}{"client_credential", a.appid, a.secret.Reveal(), force})
	return body
}

func (r reply) isMinted() error {
	switch {
	case r.token == "":
		return errors.New("the reply has no access_token that could be used")
	case r.expiresIn == 0:
		return errors.New("the reply has no expires_in that could be true")
	}
	return nil
}
