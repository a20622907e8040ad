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
// NATS, tokens that come meanwhile are fetched within a second of its return; Open waits for it, or starts with what
// WithWarmStart kept. A lost update, a bucket that was deleted and made anew, an empty store: all that heals by itself. A
// token that nears its end without a successor makes the source ask for one; after the end Token gives ErrExpired and the
// source goes on asking. Err tells at any time what is wrong, for readiness pages; WithLogger logs each change of that once.
//
// The end of a token is reckoned by the NATS server's clock and kept on the local monotonic one, so a wrong or a moving
// local clock does no harm. A newer token always takes the place of an older one, and never the other way round.
//
// # Many accounts
//
// A Fleet serves any number of accounts over one connection, with one subscription and one goroutine for all:
//
//	fleet, err := subscriber.OpenFleet(ctx, nc)
//	…
//	for appid := range fleet.Discover(ctx) { // those that have a token, and those that come to have one
//		go serve(ctx, fleet, appid) // src, err := fleet.Open(ctx, appid) …
//	}
//
// # Rights
//
// With the default names and one account, the NATS user of a service needs to publish on
// $JS.API.STREAM.INFO.KV_wx_token, $JS.API.DIRECT.GET.KV_wx_token.$KV.wx_token.<appid>.> and wx.token.refresh.<appid>, and
// to subscribe to wx.token.update.<appid>.> and its inboxes. A missing right is a *RightsError: of Open for reading and
// watching, of Refresh for requests, and of Err for each. Without STREAM.INFO all works, but by the local clock, and
// accounts can't be listed. The connection's error handler is left alone; it is called for missing rights as for any
// others.
//
// A fleet for all accounts needs the same with * for <appid>. If it may not subscribe to wx.token.update.*.access_token, it
// subscribes account by account, and the error handler hears once of the right that is missing.
//
// # Concurrency and cost
//
// All methods are safe for concurrent use. A Source that was opened alone costs one goroutine, one subscription and about
// 11 KiB; one of a fleet costs no goroutine, no subscription and about 1 KiB. Gets take turns: a fleet makes up to 64 at a
// time, so that 10,000 accounts are up to date within about a second of a reconnect. Any number may share a connection.
// The connection stays the caller's: a Source takes over none of its handlers, and cuts it, at most once a minute, only
// when the server answers neither a get nor a ping. Close sources and fleets before it.
package subscriber
