package publisher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wxtoken/wxtoken/internal/bus"
)

// errLeaseHeld tells that another publisher works on the account just now.
var errLeaseHeld = errors.New("lease is held by another publisher")

// leases are keys with a TTL: whoever creates an account's key is alone in minting for it until the key ends.
type leases struct {
	kv    *bus.KV
	owner string // for humans who look at the key
	ttl   time.Duration

	mu      sync.Mutex
	markers map[string]uint64 // appid → revision of the marker that our last release left, which the next take replaces
}

// A lease is held from take to release, or to its deadline, whatever comes first.
type lease struct {
	of       *leases
	appid    string
	nonce    string    // the taker's alone: a key that bears it was written by us, whether or not we were told
	revision uint64    // also the fence of what is minted under it
	deadline time.Time // by the monotonic clock, counted from before the key was asked for
}

type leaseValue struct {
	Owner string    `json:"owner"`
	Nonce string    `json:"nonce"`
	Since time.Time `json:"since"`
}

func newLeases(kv *bus.KV, owner string, ttl time.Duration) *leases {
	return &leases{kv: kv, owner: owner, ttl: ttl, markers: make(map[string]uint64)}
}

func leaseKey(appid string) string { return "lease." + appid }

// take gets the lease, or errLeaseHeld. It doesn't wait for the holder. A lease of our own that is still there (its
// write came through though we weren't told, or its release failed) is taken again: a nonce has one taker at a time.
func (ls *leases) take(ctx context.Context, appid, nonce string) (*lease, error) {
	l := &lease{of: ls, appid: appid, nonce: nonce}
	err := l.write(ctx, ls.marker(appid))
	if err == nil {
		return l, nil
	}
	entry, readErr := ls.read(ctx, appid)
	switch {
	case readErr != nil:
		return nil, fmt.Errorf("take lease: %w", readErr)
	case entry.Exists && !l.wrote(entry):
		return nil, errLeaseHeld
	}
	err = l.write(ctx, entry.Revision)
	switch {
	case errors.Is(err, bus.ErrConflict):
		return nil, errLeaseHeld
	case err != nil:
		return nil, fmt.Errorf("take lease: %w", err)
	}
	return l, nil
}

func (ls *leases) read(ctx context.Context, appid string) (bus.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return ls.kv.Latest(ctx, leaseKey(appid))
}

func (l *lease) wrote(entry bus.Entry) bool {
	var v leaseValue
	return json.Unmarshal(entry.Value, &v) == nil && v.Nonce == l.nonce
}

// renew makes the lease last a whole TTL from now. An error leaves it open whether it did; the old deadline then counts.
func (l *lease) renew(ctx context.Context) error {
	if err := l.write(ctx, l.revision); err != nil {
		return fmt.Errorf("renew lease: %w", err)
	}
	return nil
}

func (l *lease) write(ctx context.Context, expected uint64) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	asked := time.Now()
	value, err := json.Marshal(leaseValue{l.of.owner, l.nonce, asked.UTC()})
	if err != nil {
		return err
	}
	revision, err := l.of.kv.Put(ctx, leaseKey(l.appid), value, expected, l.of.ttl)
	if err != nil {
		return err
	}
	l.revision, l.deadline = revision, asked.Add(l.of.ttl)
	return nil
}

// outlives tells whether the lease lasts for d more.
func (l *lease) outlives(d time.Duration) bool { return time.Until(l.deadline) > d }

// release gives the lease up at once, also when ctx was cancelled. If that fails, the lease ends by itself.
func (l *lease) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	marker, err := l.of.kv.Delete(ctx, leaseKey(l.appid), l.revision)
	if err != nil {
		return fmt.Errorf("release lease: %w", err)
	}
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.of.markers[l.appid] = marker
	return nil
}

func (ls *leases) marker(appid string) uint64 {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.markers[appid]
}
