package wechat

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// Check asks WeChat, in one attempt, whether it still accepts token, by a harmless call (get_api_domain_ip). nil means
// accepted. An *Error of class Stale means refused: WeChat is known to flap, so one refusal alone proves little. Every
// other *Error means not known. That includes the quota codes 45009 and 45011, 40164 and 61004 (the caller's IP), and
// 48004 and 50002 (the account is punished): nothing says that WeChat looked at the token before it answered so.
func (a *Account) Check(ctx context.Context, token secret.String) error {
	_, err := a.client.do(ctx, call{
		op:       OpCheck,
		method:   http.MethodGet,
		path:     "cgi-bin/get_api_domain_ip",
		query:    url.Values{"access_token": {token.Reveal()}},
		hide:     token,
		alsoHide: a.secret,
		complete: reply.isAccepted,
	})
	if e, ok := errors.AsType[*Error](err); ok && e.Code == codeUnauthorized {
		return nil // WeChat knew from the token that this account may not make this call
	}
	return err
}

// isAccepted wants a sign that it was WeChat who answered: any gateway on the way may say {}.
func (r reply) isAccepted() error {
	if r.hasCode || r.hasIPs {
		return nil
	}
	return errors.New("the reply has neither errcode nor ip_list")
}
