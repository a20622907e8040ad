package subscriber

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// Random faults; after them, the newest token must be there, and no reader may have seen a step back (I6).
func TestRandomFaults(t *testing.T) {
	for range 10 {
		seed := rand.Uint64()
		inBubble(t, func(t *testing.T, w *world) { runFaults(t, w, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func runFaults(t *testing.T, w *world, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	w.mint(2 * time.Hour)
	nc := w.connect()
	defer nc.Close()
	src := w.open(nc)
	r := w.respond(func(request wire.Request, req micro.Request) { w.reply(req, wire.AlreadyReplaced) })
	defer r.stop()

	var readers sync.WaitGroup
	readers.Go(func() {
		var last uint64
		for tok := range src.Updates(t.Context()) {
			if tok.Generation <= last {
				t.Errorf("generation %d after %d", tok.Generation, last)
			}
			last = tok.Generation
		}
	})
	for range 30 {
		disturb(t, w, nc, src, random)
		time.Sleep(time.Duration(random.Int64N(int64(20 * time.Second))))
	}
	w.mint(2 * time.Hour)
	time.Sleep(time.Second)
	want(t, src, w.current().Generation, nil)
	time.Sleep(3 * time.Second)
	if err := src.Err(); err != nil {
		t.Errorf("Err() at the end = %v", err)
	}
	src.Close()
	readers.Wait()
}

func disturb(t *testing.T, w *world, nc *nats.Conn, src *Source, random *rand.Rand) {
	t.Helper()
	switch random.IntN(9) {
	case 0, 1:
		w.mint(2 * time.Hour)
	case 2:
		w.server.Stop()
		time.Sleep(time.Duration(random.Int64N(int64(20 * time.Second))))
		w.server.Resume()
		time.Sleep(time.Second)
	case 3:
		w.server.Restart(false)
		time.Sleep(time.Second)
		w.makeBucket()
		w.mint(2 * time.Hour)
	case 4:
		if err := w.js.DeleteKeyValue(t.Context(), "wx_token"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.Int64N(int64(10 * time.Second))))
		w.makeBucket()
	case 5:
		w.putRaw([]byte("84_token"))
	case 6:
		w.put(token(1+random.Uint64N(w.current().Generation), 2*time.Hour))
	case 7:
		if err := nc.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
	case 8:
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = src.Refresh(ctx, Token{})
	}
}
