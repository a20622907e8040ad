// Package record is the book of a soak: what was done to the parts, what WeChat, the store and the clients saw, and what
// follows from it. Everything in it is seen from outside: WeChat's own log of mints, requests on their way to WeChat,
// values as the store numbered them, and what clients tell of their calls.
//
// Judge says whose fault a failed call is, MintTable what each mint was for, Freshness how long a client was without the
// newest token, and Invariants what became of I1 to I10. A Book may be filled and read from any goroutine.
package record
