package publisher

import (
	"context"
	"sync"
)

// work counts the passes that are under way, so that a shutdown can wait for them, and then cut them short.
type work struct {
	ctx    context.Context // of all passes
	cancel context.CancelFunc

	mu       sync.Mutex
	stopping bool
	passes   sync.WaitGroup
}

func newWork() *work {
	ctx, cancel := context.WithCancel(context.Background())
	return &work{ctx: ctx, cancel: cancel}
}

// begin registers a pass, unless the publisher is stopping.
func (w *work) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopping {
		return false
	}
	w.passes.Add(1)
	return true
}

func (w *work) end() { w.passes.Done() }

// stop lets passes end until ctx does, then cuts them short, and returns when all are gone.
func (w *work) stop(ctx context.Context) {
	w.mu.Lock()
	w.stopping = true
	w.mu.Unlock()
	done := make(chan struct{})
	go func() {
		w.passes.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	w.cancel()
	<-done
}

// gate lets a bounded number in at a time.
type gate chan struct{}

func (g gate) enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g gate) leave() { <-g }
