// Package agent lets programs in any language call WeChat's API without a token of their own: it runs beside them, embeds
// package subscriber, and serves
//
//   - a proxy: any path of the API, without access_token, is sent on with the newest one, healed and replayed when WeChat
//     refuses it. The account is the one that the header X-WX-AppID names, else the one whose access_token the call
//     carries, else the only one;
//   - WeChat's own mint endpoints, GET /cgi-bin/token and POST /cgi-bin/stable_token, answered from memory, for SDKs that
//     fetch tokens for themselves: they need another base URL and nothing else;
//   - files that hold the tokens, for what reads files.
//
// Use:
//
//	g, err := agent.New(agent.Config{Conn: nc, Names: names, Bases: []string{"https://api.weixin.qq.com"}, …})
//	…
//	l, err := httpd.Listen("127.0.0.1:9403")
//	…
//	err = g.Run(ctx, l) // until ctx ends and the running calls have
//
// # What never happens
//
// A call goes to the configured API and to no host that a client names. What WeChat's mint endpoints would answer passes
// in no spelling of their paths. A token that WeChat echoes in a header, a redirect or a body is blotted out. Nothing of a
// query, a body or a credential is logged or counted. Web pages are kept out, see package httpd.
//
// # When something is away
//
// Without NATS or publishers the last tokens are used until their end, and calls fail with 503 after it. Run starts
// without NATS, too: accounts are there as soon as their first token is. Errors of the agent's own have WeChat's form,
// {"errcode":-1,"errmsg":"wxtoken agent: …"}, with the HTTP status of a proxy; SDKs take -1 for "busy, try again".
//
// # Uploads
//
// Bodies of up to 64 KiB are kept, and sent again when WeChat refuses the token. Larger ones stream, in flat memory, and
// can't be sent again. Before one of them the token is tried with a harmless call, unless it was found good within the
// last seconds: that leaves only a token that dies during the upload. Then WeChat's refusal goes to the client, whose next
// try has the new token.
//
// # Concurrency
//
// All methods may be used by any number of goroutines. A call takes no lock that another one holds for long.
package agent
