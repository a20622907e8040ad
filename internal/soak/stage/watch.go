package stage

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/soak/record"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// watcher writes every stored value into the book: those that come, and every few seconds those that came while it was
// cut off, as far back as the bucket's history goes.
type watcher struct {
	nc       *nats.Conn
	book     *record.Book
	appids   []string
	minterOf func(publisher string) string // the name of a process
}

const lookBackEvery = 3 * time.Second

func (w *watcher) run(ctx context.Context) error {
	names := wire.DefaultNames()
	sub, err := w.nc.Subscribe(names.UpdateSubject(">"), func(msg *nats.Msg) {
		if o, ok := names.OriginOf(msg.Header); ok && !o.Marker {
			w.take(msg.Data, o.Revision, o.Stored)
		}
	})
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection may be gone
	js, err := jetstream.New(w.nc)
	if err != nil {
		return err
	}
	kv := bus.OpenKV(w.nc, js, names.Bucket)
	look := time.NewTicker(lookBackEvery)
	defer look.Stop()
	for {
		w.lookBack(ctx, kv)
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
}

// lookBack reads the history of each key. While the cluster is away it fails, and is repeated.
func (w *watcher) lookBack(ctx context.Context, kv *bus.KV) {
	for _, appid := range w.appids {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		entries, err := kv.History(ctx, wire.Key(appid, wire.KindAccessToken))
		cancel()
		if err != nil {
			continue
		}
		for _, e := range entries {
			w.take(e.Value, e.Revision, e.Stored)
		}
	}
}

func (w *watcher) take(data []byte, revision uint64, stored time.Time) {
	v, err := wire.DecodeValue(data)
	if err != nil {
		w.book.Unwell("a stored value can't be read: " + err.Error())
		return
	}
	w.book.Stored(record.Value{
		AppID: v.AppID, ID: v.ID, Publisher: w.minterOf(v.Publisher), Reason: string(v.Reason), Generation: v.Generation, Fence: v.Fence,
		Revision: revision, Minted: v.MintedAt, Expires: v.ExpiresAt, Stored: stored,
	})
}
