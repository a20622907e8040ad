package publisher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nuid"

	"github.com/wxtoken/wxtoken/internal/bus"
)

// probe is a key of this publisher's own that is written again and again, as leases are: reading a bucket works without
// the majority of its servers, writing doesn't.
type probe struct {
	kv       *bus.KV
	key      string
	owner    string
	revision uint64
}

// probeLife lets the key of a publisher that is gone end.
const probeLife = time.Minute

func newProbe(kv *bus.KV, owner string) *probe {
	return &probe{kv: kv, key: "probe." + nuid.Next(), owner: owner}
}

func (p *probe) write(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err := p.writeOver(ctx)
	if errors.Is(err, bus.ErrConflict) { // it ended, or the answer to the last write was lost
		err = p.writeAnew(ctx)
	}
	if err != nil {
		return fmt.Errorf("write bucket: %w", err)
	}
	return nil
}

func (p *probe) writeOver(ctx context.Context) error {
	revision, err := p.kv.Put(ctx, p.key, []byte(p.owner), p.revision, probeLife)
	if err == nil {
		p.revision = revision
	}
	return err
}

func (p *probe) writeAnew(ctx context.Context) error {
	entry, err := p.kv.Latest(ctx, p.key)
	if err != nil {
		return err
	}
	p.revision = entry.Revision
	return p.writeOver(ctx)
}
