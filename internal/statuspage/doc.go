// Package statuspage is the publisher's page for people: what the tokens of all accounts are like, and what to do where
// something is wrong, in English or Chinese.
//
//	page := statuspage.New(publisher)
//	page.Handle(mux)   // GET /, /events and /static/
//	defer page.Close() // ends the streams of viewers, for which a server's graceful end would wait
//
// The page is made on the server and is complete without JavaScript. With it, a stream of server-sent events replaces
// what has changed, once a second at most. It holds ids, never tokens: what it shows comes through Source, which gives
// none.
//
// Many viewers cost little more than one: the status is taken twice a second at most, the surroundings are asked for
// every few seconds, and the history of a key is read again when its revision is another. Without viewers nothing is
// done. There are viewerLimit streams at most; who comes then gets 503 and a page that doesn't move.
package statuspage
