//go:build race

package subscriber

// serverReloads: nats-server 2.15 reads its options without a lock while it answers direct gets, which is a data race
// with a reload.
const serverReloads = false
