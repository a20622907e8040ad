package subscriber

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// refreshLimit bounds a Refresh whose ctx has no deadline.
	refreshLimit = 15 * time.Second
	// attemptTimeout is how long one request to the publishers may take. It is short, because a publisher that was
	// stopped hard may still be in the queue group, and asking again costs them nothing.
	attemptTimeout = 2500 * time.Millisecond

	// passingLimit is how long publishers are asked again who can't reach WeChat: one of them may, or it was a moment.
	passingLimit = 5 * time.Second

	firstAttemptRetry = 100 * time.Millisecond
	lastAttemptRetry  = time.Second
)

// Refresh says that WeChat refused a token, with 42001, 40001 or 40014, and returns a newer one. When the source holds a
// newer one already, that is returned at once. Else the publishers are asked, again and again until ctx ends (15 s
// when it has no deadline); all callers that refuse the same token share one request.
//
// When WeChat still accepts the refused token, Refresh returns the current token and no error: try it once more. The
// error tells why there is no newer one: ErrNoPublisher, ErrUnknownAccount, *BudgetSpentError, *RefusedError and
// *RightsError come at once (ErrNoPublisher not in the first 2 s after a reconnect, as the publishers may have to reconnect
// too, and *RefusedError after 5 s where WeChat gave no answer or was busy); after Close it is ErrClosed; when ctx ends, the
// error wraps ctx's and the last problem, e.g. ErrUnavailable or ErrNotConnected.
func (s *Source) Refresh(ctx context.Context, refused Token) (Token, error) {
	if refused.AppID != "" && refused.AppID != s.appid {
		return Token{}, fmt.Errorf("refresh token of %s: the refused one is of %.64q", s.appid, refused.AppID)
	}
	if _, bounded := ctx.Deadline(); !bounded {
		limited, cancel := context.WithTimeout(ctx, refreshLimit)
		defer cancel()
		ctx = limited
	}
	token, err := s.refresh(ctx, refused)
	if err != nil {
		return Token{}, fmt.Errorf("refresh token of %s: %w", s.appid, err)
	}
	return token, nil
}

func (s *Source) refresh(ctx context.Context, refused Token) (Token, error) {
	held := s.now.Load()
	if held.live(refused.Generation) {
		return held.token, nil
	}
	if held.token.Generation > refused.Generation {
		refused = held.token // newer than the one refused, but expired: that is what needs a successor
	}
	arrived := s.refreshes.sent()
	for {
		f, err := s.refreshes.join(s, refused)
		if err != nil {
			return Token{}, err
		}
		token, again, err := s.await(ctx, f, refused, arrived)
		s.refreshes.leave(f)
		if !again {
			return token, err
		}
	}
}

// await waits for a newer token, for f to end or for ctx. A verdict that the token still stands counts only for those
// who had refused it when the request was sent: with again, there must be another.
func (s *Source) await(ctx context.Context, f *flight, refused Token, arrived uint64) (token Token, again bool, err error) {
	for landed := false; ; {
		now := s.now.Load()
		switch {
		case now.live(refused.Generation):
			return now.token, false, nil
		case now.err == ErrClosed:
			return Token{}, false, ErrClosed
		case landed && f.err == nil && f.attempt <= arrived:
			return Token{}, true, nil
		case landed && f.err == nil:
			return now.token, false, now.err
		case landed:
			return Token{}, false, f.err
		case ctx.Err() != nil:
			return Token{}, false, s.refreshes.gaveUp(f, ctx.Err())
		}
		select {
		case <-now.superseded:
		case <-f.done:
			landed = true
		case <-ctx.Done():
		}
	}
}

// refreshes are the requests in flight, one per refused token.
type refreshes struct {
	mu      sync.Mutex
	closed  bool
	flights map[uint64]*flight // by the refused token's generation
	asked   uint64             // counts the requests sent
	running sync.WaitGroup
}

// flight asks publishers to replace one token, for as long as somebody waits for it.
type flight struct {
	refused Token
	waiting int // guarded by refreshes.mu, like problem
	problem error
	cancel  context.CancelFunc

	done    chan struct{} // closed when attempt and err are set; never, when a newer token is what ends the wait
	attempt uint64        // the number of the request that was answered
	err     error         // nil: the refused token stands
}

// sent counts the requests sent so far.
func (r *refreshes) sent() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// join makes the caller one of those who wait for the flight of a refused token, and starts it for the first.
func (r *refreshes) join(s *Source, refused Token) (*flight, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	if f := r.flights[refused.Generation]; f != nil {
		f.waiting++
		return f, nil
	}
	ctx, cancel := context.WithCancel(context.Background()) // outlives the caller's: others may join
	f := &flight{refused: refused, waiting: 1, cancel: cancel, done: make(chan struct{})}
	if r.flights == nil {
		r.flights = make(map[uint64]*flight)
	}
	r.flights[refused.Generation] = f
	r.running.Go(func() { f.run(ctx, s) })
	return f, nil
}

// leave takes back a join. The last one to leave ends the flight.
func (r *refreshes) leave(f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.waiting--; f.waiting == 0 {
		r.drop(f)
	}
}

// drop ends f for those who may still join. The caller holds r.mu.
func (r *refreshes) drop(f *flight) {
	f.cancel()
	if r.flights[f.refused.Generation] == f {
		delete(r.flights, f.refused.Generation)
	}
}

// land gives f's result to those who wait.
func (r *refreshes) land(f *flight, attempt uint64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.attempt, f.err = attempt, err
	close(f.done)
	r.drop(f)
}

// note keeps what went wrong last, for those whose ctx ends, and counts nothing.
func (r *refreshes) note(f *flight, problem error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.problem = problem
}

// next numbers a request that is about to be sent.
func (r *refreshes) next() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	return r.asked
}

// gaveUp is the error of a wait that ended because of cause.
func (r *refreshes) gaveUp(f *flight, cause error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.problem == nil {
		return fmt.Errorf("%w: %w", cause, ErrUnavailable)
	}
	return fmt.Errorf("%w: %w", cause, f.problem)
}

// close ends all flights and waits for them. None starts after it.
func (r *refreshes) close() {
	r.mu.Lock()
	r.closed = true
	for _, f := range r.flights {
		f.cancel()
	}
	r.mu.Unlock()
	r.running.Wait()
}
