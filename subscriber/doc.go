// Package subscriber gives a service the newest WeChat access_token of an account, from memory.
//
// Publishers mint the tokens and store them in a NATS KV bucket. A Source watches the account's key there, so that a call
// to Token is one atomic load:
//
//	nc, err := nats.Connect(url, subscriber.NATSOptions()...)
//	…
//	src, err := subscriber.Open(ctx, nc, "wx0123456789abcdef") // blocks until the first token, or ctx ends
//	…
//	defer src.Close()
//
//	tok, err := src.Token() // for each request to WeChat
//	…
//	if errcode == 42001 || errcode == 40001 || errcode == 40014 {
//		tok, err = src.Refresh(ctx, tok) // "WeChat refused this one": a newer one, or why not
//	}
//
// # When something is away
//
// The last token is served until its end, whatever fails. Without publishers, Refresh says ErrNoPublisher at once. Without
// NATS, tokens that come meanwhile are fetched within a second of its return; Open waits for it. A lost update, a bucket
// that was deleted and made anew, an empty store: all that heals by itself. A token that nears its end without a successor
// makes the source ask for one; after the end Token gives ErrExpired and the source goes on asking. Err tells at any time
// what is wrong, for readiness pages; WithLogger logs each change of that once.
//
// The end of a token is reckoned by the NATS server's clock and kept on the local monotonic one, so a wrong or a moving
// local clock does no harm. A newer token always takes the place of an older one, and never the other way round.
//
// # Rights
//
// With the default names and one account, the NATS user of a service needs to publish on
// $JS.API.STREAM.INFO.KV_wx_token, $JS.API.DIRECT.GET.KV_wx_token.$KV.wx_token.<appid>.> and wx.token.refresh.<appid>, and
// to subscribe to wx.token.update.<appid>.> and its inboxes. A missing right is a *RightsError: of Open for reading and
// watching, of Refresh for requests, and of Err for each. Without STREAM.INFO all works, but by the local clock. The
// connection's error handler is left alone; it is called for missing rights as for any others.
//
// # Concurrency and cost
//
// All methods are safe for concurrent use. A Source costs one goroutine, one subscription and about 12 KiB; any number may
// share a connection. The connection stays the caller's: a Source takes over none of its handlers, and cuts it, at most
// once a minute, only when the server answers neither a get nor a ping. Close sources before it.
package subscriber
