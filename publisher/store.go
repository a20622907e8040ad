package publisher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/wire"
)

const (
	// storeTimeout is for one read or write of a key.
	storeTimeout = 2 * time.Second
	// storeWait is the pause before the next attempt after NATS failed one; it doubles up to longestStoreWait.
	storeWait, longestStoreWait = 250 * time.Millisecond, 5 * time.Second
)

// read gets the key from the stream's leader and takes note of what it holds.
func (a *account) read(ctx context.Context) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	entry, err := a.tokens.Latest(ctx, a.key())
	if err != nil {
		return stored{}, err
	}
	s := a.decode(entry.Value, entry.Revision, entry.Exists)
	a.observe(s)
	return s, nil
}

func (a *account) key() string { return wire.Key(a.appid, wire.KindAccessToken) }

// decode reads a stored value. One that isn't ours to read counts as missing, and will be overwritten.
func (a *account) decode(data []byte, revision uint64, exists bool) stored {
	if !exists {
		return stored{revision: revision}
	}
	v, err := wire.DecodeValue(data)
	if err == nil && (v.AppID != a.appid || v.Kind != wire.KindAccessToken) {
		err = errors.New("value is of another account or kind") // unquoted: it could be anything, a token too
	}
	if err != nil {
		a.log.Error("key holds no token, it will be overwritten", "appid", a.appid, "revision", revision, "err", err)
		return stored{revision: revision}
	}
	return stored{Value: v, revision: revision, exists: true}
}

// restore puts a token back that the key should hold and doesn't: one that couldn't be stored, or that the store lost.
func (r *refresh) restore(ctx context.Context) error {
	v, isMissing := r.missing(r.current)
	kept := r.isKept(v)
	if !isMissing || kept && r.overtaken(v) {
		return nil
	}
	s, err := r.put(ctx, r.raise(v))
	if err != nil {
		return err
	}
	r.current = s
	if s.ID != v.ID {
		return nil // a newer one was stored meanwhile
	}
	if kept {
		r.tellMinted(s)
		return nil
	}
	r.log.Info("token put back where it was missing", "appid", r.appid, "token_id", s.ID, "generation", s.Generation, "revision", s.revision)
	return nil
}

// deliver stores a token that was just minted and answers everything with it. Until it is stored it is kept, and
// nothing else is minted.
func (r *refresh) deliver(ctx context.Context, v wire.Value) error {
	r.keep(v)
	s, err := r.put(ctx, v)
	if err != nil {
		r.log.Warn("minted token is kept until it can be stored", "appid", r.appid, "token_id", v.ID, "generation", v.Generation, "err", err)
		return err
	}
	r.current = s
	if s.ID == v.ID {
		r.tellMinted(s)
	}
	r.answerReports(r.batch, every, answer{outcome: wire.Replaced, current: s})
	r.batch.answerAll(answer{outcome: wire.Replaced, current: s})
	return nil
}

// put writes v over what the key holds, with compare-and-set, until it is there, a newer one is, or ctx ends. It
// returns what the key holds then.
func (r *refresh) put(ctx context.Context, v wire.Value) (stored, error) {
	for attempt := 1; ; attempt++ {
		s, err := r.putOnce(ctx, v)
		if err == nil {
			r.observe(s)
			return s, nil
		}
		current, readErr := r.readAfter(ctx, err, attempt)
		switch {
		case ctx.Err() != nil || !r.lease.outlives(0):
			return stored{}, err
		case readErr != nil:
			continue
		}
		r.current = current
		if current.exists && current.ID == v.ID && current.Generation >= v.Generation {
			return current, nil // the write whose outcome was unclear had come through
		}
		if r.overtaken(v) {
			return r.current, nil
		}
		v = r.raise(v)
	}
}

// raise gives v a generation that readers take who have what the key holds now.
func (r *refresh) raise(v wire.Value) wire.Value {
	if r.current.exists {
		v.Generation = max(v.Generation, wire.NextGeneration(r.current.Generation, v.MintedAt))
	}
	return v
}

// readAfter looks at what is there after a write that failed, at once after a conflict and with a pause otherwise.
func (r *refresh) readAfter(ctx context.Context, err error, attempt int) (stored, error) {
	if !errors.Is(err, bus.ErrConflict) {
		sleep(ctx, jitter(doubling(storeWait, attempt, longestStoreWait)))
	}
	return r.read(ctx)
}

func (r *refresh) putOnce(ctx context.Context, v wire.Value) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	data, err := v.Encode()
	if err != nil {
		return stored{}, fmt.Errorf("encode token: %w", err)
	}
	revision, err := r.tokens.Put(ctx, r.key(), data, r.current.revision, 0)
	if err != nil {
		return stored{}, err
	}
	return stored{Value: v, revision: revision, exists: true}, nil
}

// overtaken tells whether the key holds a token that was minted after v, as its fence shows. Then v is given up.
func (r *refresh) overtaken(v wire.Value) bool {
	if !r.current.exists || r.current.Fence <= v.Fence || r.current.ID == v.ID {
		return false
	}
	r.adopt(r.current)
	r.tellStaleWriter(v, r.current.Value)
	return true
}
