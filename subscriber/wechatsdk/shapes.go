package wechatsdk

import (
	"context"

	"github.com/wxtoken/wxtoken/subscriber"
)

// lendSeconds is how long SDKs are told that they may keep a token. They ask again after that; asking costs nothing.
const lendSeconds = 1

// GetAccessToken makes the Adapter an AccessTokenHandle of github.com/silenceper/wechat/v2/credential. It doesn't block,
// unless the token has expired: then it asks for the next one, and waits 10 s at most.
func (a *Adapter) GetAccessToken() (string, error) { return a.text(context.Background()) }

// GetAccessTokenContext makes the Adapter an AccessTokenContextHandle of github.com/silenceper/wechat/v2/credential. It is
// GetAccessToken, with a wait that ends with ctx too.
func (a *Adapter) GetAccessTokenContext(ctx context.Context) (string, error) { return a.text(ctx) }

// GetToken makes the Adapter an ITokenProvider of github.com/xen0n/go-workwx. It is GetAccessTokenContext.
func (a *Adapter) GetToken(ctx context.Context) (string, error) { return a.text(ctx) }

// Token makes the Adapter, with RefreshToken, an AccessTokenServer of github.com/chanxuehong/wechat/mp/core. It is
// GetAccessToken.
func (a *Adapter) Token() (string, error) { return a.GetAccessToken() }

// RefreshToken says that WeChat refused currentToken, and returns the one to go on with. If the source holds another one
// by now, it returns that at once; otherwise it reports the refusal and waits, for 10 s at most. If WeChat still
// accepts the token, it returns currentToken.
func (a *Adapter) RefreshToken(currentToken string) (string, error) {
	tok, err := a.replace(func(held subscriber.Token) bool { return held.AccessToken() == currentToken })
	if err != nil {
		return "", err
	}
	return tok.AccessToken(), nil
}

// IID01332E16DF5011E5A9D5A4DB30FED8E1 does nothing: github.com/chanxuehong/wechat marks its AccessTokenServers with it.
func (a *Adapter) IID01332E16DF5011E5A9D5A4DB30FED8E1() {}

// RefreshLent is RefreshToken for SDKs that don't say which token WeChat refused: it takes it to be the last one that this
// Adapter gave out. If that is wrong, the publishers find that the token is good, and nothing comes of it.
func (a *Adapter) RefreshLent() error {
	last, ok := a.last()
	if !ok {
		return nil // nothing was given out, so nothing can be wrong with it
	}
	_, err := a.replace(func(held subscriber.Token) bool { return held.ID == last.ID })
	return err
}

// Weapp is the AccessTokenGetter of github.com/medivhzhan/weapp/v3, for its WithAccessTokenSetter. The SDK keeps the token
// for expireIn seconds, which is 1. It has no way to be told of an error: then the token is the expired one, which WeChat
// refuses, or, if there is none, empty.
func (a *Adapter) Weapp(appid, secret string) (token string, expireIn uint) {
	tok, _ := a.newest(context.Background())
	return tok.AccessToken(), lendSeconds
}

// PowerWeChat is the GetCustomToken of github.com/ArtisanCloud/PowerWeChat/v3, if M is its object.HashMap. With refresh it
// does what RefreshLent does, first. It has no way to tell of an error: then the token is the expired one, which WeChat
// refuses, or, if there is none, empty.
func PowerWeChat[M ~map[string]any](a *Adapter) func(key string, refresh bool) M {
	return func(_ string, refresh bool) M {
		if refresh {
			_ = a.RefreshLent() // what comes of it is the token
		}
		token, expireIn := a.Weapp("", "")
		return M{"access_token": token, "expires_in": float64(expireIn)}
	}
}
