// Package bus is the way to NATS: connecting with the variables of the nats CLI, the embedded server, the buckets, and
// keys that are read from the leader and written with compare-and-set.
package bus
