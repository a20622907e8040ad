// Package demo shows wxtoken at work: it tells what publisher, simulated WeChat and a small service do, in lines that a
// person likes to read.
//
// Everything that it tells comes over the bus, as anybody could have it: events, the subscriber package, and replies of
// the API that the service calls.
package demo
