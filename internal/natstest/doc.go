// Package natstest runs real NATS servers with JetStream for tests.
//
// Bubble runs one in fake time: the server, nats.go over an in-process pipe, micro and gocron all live in one
// testing/synctest bubble, so hours pass in milliseconds and a goroutine that is left behind fails the test. Start
// listens on a loopback port in real time, for what needs sockets, and StartCluster runs three servers that replicate.
// A Link is one client's way to a server, which can be cut and held up.
//
// Tests that use Bubble must not run in parallel: nats.go pools timers per process, and a timer that outlived its
// bubble is fatal to the next one.
package natstest
