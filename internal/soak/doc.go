// Soak runs wxtoken as users do, for as long as you like, while everything that it stands on fails, and says what came
// of it:
//
//	go -C internal/soak run . -for 1h
//
// It builds wxtoken and the NATS server of its go.mod and starts, each as a process of its own: a cluster of three NATS
// servers, three publishers with four accounts, two services that embed the subscriber package, an agent with a client
// that knows no token, and the simulated WeChat, whose tokens live 40 s. The services call WeChat all the time. Every
// link to NATS and between its servers goes through a fault proxy (toxiproxy), and every request to WeChat through one
// that writes a book.
//
// Faults then strike, chosen by -seed: parts are killed and stopped, NATS servers lose their stores, links are cut,
// slowed and left half-open, WeChat fails, lies, loses answers, revokes tokens and forgets them all, strangers mint, and
// good tokens are reported as bad. Faults of different kinds meet. With the same seed the same is done; what comes of it
// still differs, as processes run as they like.
//
// The report says whose fault each failed call is (package record has the rules), what every mint was for, how long each
// client was without the newest token, and what became of the invariants I1 to I10. The exit code is 0 when no failed
// call was ours and all invariants held, 1 when not, and 2 when the soak itself couldn't be run. Logs and stores stay in
// the folder that it names when something didn't hold, or with -dir.
package main
