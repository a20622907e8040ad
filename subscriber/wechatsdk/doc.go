// Package wechatsdk gives the tokens of a subscriber.Source to WeChat SDKs. It imports none of them: an Adapter has the
// methods that they ask for.
//
//	src, err := subscriber.Open(ctx, nc, "wx0123456789abcdef")
//	…
//	tokens := wechatsdk.New(src)
//	client := &http.Client{Transport: src.Transport(nil)} // heals calls whose token WeChat refuses
//
//	// github.com/silenceper/wechat/v2: Official Account, Mini Program, WeCom
//	officialAccount.SetAccessTokenHandle(tokens)
//	miniProgram.SetAccessTokenContextHandle(tokens)
//	work.GetContext().AccessTokenHandle = tokens
//	util.DefaultHTTPClient = &http.Client{Transport: wechatsdk.Transport(nil, tokens)} // one for all accounts
//
//	// github.com/chanxuehong/wechat
//	mp := core.NewClient(tokens, client)
//
//	// github.com/xen0n/go-workwx
//	workwx.New(corpID, workwx.WithAccessTokenProvider(tokens), workwx.WithHTTPClient(client))
//
//	// github.com/medivhzhan/weapp/v3
//	weapp.NewClient(appid, "", weapp.WithAccessTokenSetter(tokens.Weapp), weapp.WithHttpClient(client))
//
//	// github.com/ArtisanCloud/PowerWeChat/v3
//	app.AccessToken.GetCustomToken = wechatsdk.PowerWeChat[object.HashMap](tokens)
//
//	// github.com/fastwego/offiaccount, which uses http.DefaultClient
//	app.AccessToken.GetAccessTokenHandler = func(*offiaccount.OffiAccount) (string, error) { return tokens.GetAccessToken() }
//	app.AccessToken.NoticeAccessTokenExpireHandler = func(*offiaccount.OffiAccount) error { return tokens.RefreshLent() }
//
// Leave AppSecrets empty, so that nothing mints behind the publishers' back. Only calls that bear no access_token need one,
// a user's login for instance.
//
// # Healing
//
// A token can die before its time. Most SDKs don't say which token WeChat refused, so it is the HTTP client that heals:
// Source.Transport where a client is one account's, Transport here where it is the whole process's. Without either,
// a call whose token died early fails, and so do those after it until the next token is published; chanxuehong/wechat and
// fastwego alone refresh by themselves, on 40001 and 42001, once per call.
//
// # When something is away
//
// The Adapter returns the source's errors. An expired token is not handed on: the publishers are asked for another one
// first, and the call waits up to 10 s. Everything else returns at once, from memory.
//
// # Secrets
//
// SDKs put the token into URLs, which net/http shows in its errors, and silenceper/wechat in those about an HTTP status. weapp
// and fastwego log each URL unless they are given another Logger; chanxuehong/wechat does with its build tag wechat_debug.
//
// # Concurrency
//
// Everything may be used by any number of goroutines. An Adapter has no goroutine and needs no Close.
package wechatsdk
