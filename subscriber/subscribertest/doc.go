// Package subscribertest gives unit tests a subscriber.Source whose token they command.
//
// The Source is the real one. It reads from a NATS server within the test's process, which New starts without a socket in
// a few milliseconds, and which is gone when the test ends. The Double stands for everybody else: the publishers, and
// WeChat where the test wants it to.
//
//	d := subscribertest.New(t, "wx0123456789abcdef") // the token is "token-1"
//	api := myservice.New(d.Source())
//
//	d.Set("another token")             // published; the source holds it when Set returns
//	d.Refuse(42001)                    // WeChat refuses the current token …
//	client := &http.Client{Transport: d.Source().Transport(d.RoundTripper(handler))} // … of those who call it this way
//	reports := d.Reports()             // what was reported to the publishers
//	d.OnRefresh(subscribertest.BudgetSpent(until)) // and what they answer; by default they publish a new token
//	d.Expire()                         // the token ends, and there is no publisher to replace it
//
// Code that opens sources itself is given Conn.
//
// # When something fails
//
// What the Double can't do ends the test with Fatal or Error: it has no error results. Calls block until they are done,
// for 10 s at most. The Source behaves as package subscriber says, its own asking included: in the last tenth of a
// token's life (the last minute at most) and after its end it asks for another one, and Reports shows that too.
//
// # Fake time
//
// In testing/synctest use Bubble in the place of synctest.Test: server and client need some preparations outside of the
// bubble. New says so if it is called in one.
//
// # Concurrency
//
// Each Double has a server of its own, so parallel tests don't meet, except that Bubble is not for parallel tests. All
// methods may be used by any number of goroutines until the test ends. Set, SetFor and Expire belong to the test's own
// goroutine, because they may call Fatal.
package subscribertest
