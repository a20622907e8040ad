// Package wxsim simulates WeChat's token API: /cgi-bin/token, /cgi-bin/stable_token, tickets, quotas, IP whitelists and
// everything that goes wrong with them. Services and publishers are tested against it, in Go or over HTTP.
//
//	sim, err := wxsim.New(wxsim.Options{
//		Accounts:  []wxsim.Account{{AppID: "wx0123456789abcdef", Secret: "secret"}},
//		ExpiresIn: 6 * time.Second, // every window of WeChat's shrinks with it
//	})
//	client := &http.Client{Transport: sim.Transport()} // no socket, works in testing/synctest
//	// or: http.ListenAndServe("127.0.0.1:9401", sim)
//
//	sim.AddFault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Hang, After: true, Count: 1}) // one lost answer
//	resp, err := client.Get("https://api.weixin.qq.com/cgi-bin/token?grant_type=client_credential&appid=…&secret=…")
//	mints := sim.Ledger("wx0123456789abcdef") // every mint that ever happened, by whom
//
// Each account has two channels, token and stable_token, that don't touch each other. A channel holds the current token
// and the one before it, which lives 5 more minutes. Where WeChat's behaviour is unknown or varies, a field of Knobs
// chooses; the zero Knobs is the best guess.
//
// Time. Options.ExpiresIn is the life of a token. With the default of 7200 s all windows have WeChat's lengths. With any
// other life they are scaled by ExpiresIn / 7200 s: grace of the previous token (300 s), roll-over of stable_token (300 s),
// gap between forced refreshes (30 s), quota minutes, days and months, whitelist lag (10 min), admin blocks (1 h, 24 h).
// Delays of faults are real, as they are the caller's own. The time is time.Now's, so a testing/synctest bubble fakes it.
//
// Control. What Go does with methods, curl does under /_sim/: GET /_sim/ explains. These endpoints ask for no password
// and give out tokens (with reveal=1): this is a simulator, so bind it to loopback or a private network and give it no
// real AppSecret.
//
// When things go wrong. Business errors are answers with HTTP status 200 and an errcode, as WeChat's are. Faults stand in
// for the network and for WeChat's own failures: Fault says how to choose the calls that they strike.
//
// Concurrency. All methods may be called at any time from any goroutine. Accounts are locked one by one. Nothing runs at
// rest: a Server without calls has no goroutine and no timer and need not be closed, but Close ends calls that hang.
//
// Logs hold appids, ids and codes, never a secret or a token.
package wxsim
