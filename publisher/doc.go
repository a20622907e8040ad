// Package publisher is the central server: it alone asks WeChat for tokens and stores them where services read them.
//
//	p, err := publisher.New(publisher.Config{Conn: nc, Accounts: accounts, …})
//	…
//	err = p.Run(ctx) // until ctx ends
//
// # How a token is refreshed
//
// Whatever the reason (schedule.go, responder.go), there is one path (pass.go): take the account's lease (lease.go), read
// the key from the stream's leader (store.go), decide, mint (mint.go), store with compare-and-set (store.go), release.
// Wishes that arrive while an account is in the path wait, and go through it together: any number of reports of one
// token costs one check (verify.go) and at most one mint (budget.go).
//
// The schedule is one gocron job per account that asks, after each run, when to look again (due.go); a value seen on the
// key (watch.go) moves that time.
//
// # When things fail
//
// While WeChat fails, the stored token stands and the next try waits as long as the class of the error asks for
// (backoff.go). While NATS is away nothing is minted, because the lease is out of reach; a token that was minted just
// before is kept and stored when NATS is back. A key, a bucket or a whole store that is lost is filled again with the
// token that the publisher still knows, if that is alive, or else with a new one.
//
// Any number of publishers may run for the same accounts, all active. A Publisher runs once; everything inside is safe
// for concurrent use.
package publisher
