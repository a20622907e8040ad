// Package wechat calls WeChat's token endpoints for the publisher.
//
//	client, err := wechat.NewClient(wechat.Config{
//		Bases:   []string{"https://api.weixin.qq.com", "https://api2.weixin.qq.com"},
//		Timeout: 5 * time.Second,
//	})
//	account := client.Account("wx0123456789abcdef", appSecret, wechat.StableToken)
//	minted, err := account.Mint(ctx, false)
//	if e, ok := errors.AsType[*wechat.Error](err); ok {
//		// e.Class says how long to wait, e.Hint what a human should do, e.Ambiguous() whether a token may be lost
//	}
//
// # One call, one attempt
//
// Mint and Check send one request to one host and never repeat it: that is for the caller, who holds the lease. The
// Client only remembers which host works. After a network-class fault the next attempt, of any account, goes to the
// next base; once a minute one attempt tries the first base again, and when that succeeds all go back to it. An
// errcode is an answer, so it never changes the host. Redirects are not followed: they would carry the AppSecret
// elsewhere.
//
// # What a reply means
//
// WeChat answers errors with HTTP 200 and odd content types, so only the JSON body counts: its errcode if that is not
// 0, else the fields that were asked for. Whatever does not read as one or the other (HTML, a cut or oversized body, a
// token without a usable expires_in) is a fault of the network: [Transient], Code 0. The table in codes.go says what
// each errcode means; a code that isn't there is [Permanent], that is: tried again slowly, and loudly.
//
// # Secrets
//
// AppSecrets travel in a URL or a body and tokens in a URL, so errors of net/http are taken apart: an [Error] holds no
// *url.Error, no part of a reply except errmsg, and of errmsg nothing that is the secret or the token. This package
// logs nothing.
//
// A Client and its Accounts may be used by any number of goroutines.
package wechat
