package subscriber

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// A soak found services without the newest token for ten seconds, because one question had been lost in an election.
func TestAQuestionThatGetsLostIsAskedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		ask   func(in *inbox, ctx context.Context) (*nats.Msg, error)
		asked int64
		after time.Duration
		err   error
	}{
		"what may be asked twice": {func(in *inbox, ctx context.Context) (*nats.Msg, error) { return in.ask(ctx, "question", nil) }, 3, 3 * askAgain, nil},
		"anything else":           {func(in *inbox, ctx context.Context) (*nats.Msg, error) { return in.request(ctx, "question", nil) }, 1, getTimeout, ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				var asked atomic.Int64
				answering := w.connect()
				_, err := answering.Subscribe("question", func(msg *nats.Msg) {
					if asked.Add(1) == 3 {
						_ = msg.Respond([]byte("answer")) // the test fails without it
					}
				})
				if err := errors.Join(err, answering.Flush()); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), getTimeout)
				defer cancel()
				began := time.Now()
				msg, err := c.ask(newInbox(link{Conn: w.connect()}), ctx)
				if !errors.Is(err, c.err) || err == nil && string(msg.Data) != "answer" {
					t.Errorf("%v, %v", msg, err)
				}
				if asked.Load() != c.asked || time.Since(began) != c.after {
					t.Errorf("asked %d times, over after %v, want %d and %v", asked.Load(), time.Since(began), c.asked, c.after)
				}
			})
		})
	}
}
