// Command benchreport runs every benchmark of wxtoken beside its references and writes what it found in Markdown.
//
//	go -C internal/benchreport run .                      # about ten minutes, on a machine that does nothing else
//	go -C internal/benchreport run . -short               # a quick pass, whose figures mean little
//	go -C internal/benchreport run . -run FanOut -count 9 # more rounds of some
//	go -C internal/benchreport run . -o "$PWD/report.md"  # to a file; progress goes to standard error
//
// A benchmark's sub-benchmarks are named /by=ours and /by=<reference>: a bare atomic load, a GET from Redis, a bare NATS
// subscription, a kv.Watch, a NATS echo service, a bare reverse proxy, a bare http.Transport. Each round measures ours and
// its references one right after the other, each in a process of its own, and every other round in reverse order, so that
// whatever else slows the machine hits all of them. A ratio is that of one round; median and extremes are over the rounds.
//
// What a measurement needs it starts itself. What can't be started, redis-server where it isn't installed, is a row that
// says so. A benchmark in the tree that this report doesn't know, or knows and doesn't find, is an error: see subjects.go
// for what is measured, and themes.go for how it is told.
package main
