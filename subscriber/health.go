package subscriber

import (
	"errors"
	"log/slog"
	"sync"
)

// ailment is one thing that can be wrong with a source or a feed; each is found, and found to be well again, by itself.
type ailment int

const (
	ailingWatch   ailment = iota // the subscription to updates
	ailingStream                 // what the bucket's stream says of itself
	ailingStore                  // getting the key
	ailingValue                  // what is stored under the key
	ailingRefresh                // asking publishers for a newer token
	ailingList                   // listing the accounts
	ailingKeeper                 // writing tokens for a warm start
	ailments
)

// health is what is wrong now.
type health struct {
	mu   sync.Mutex
	errs [ailments]error
}

// set records that a is wrong because of err, or well when err is nil. It logs each change once; log is asked for then.
func (h *health) set(log func() *slog.Logger, a ailment, err error) {
	h.mu.Lock()
	before := h.errs[a]
	h.errs[a] = err
	h.mu.Unlock()
	switch {
	case err != nil && (before == nil || before.Error() != err.Error()):
		log().Warn("token source is ailing", "err", err)
	case err == nil && before != nil:
		log().Info("token source has recovered", "from", before)
	}
}

// get tells what is wrong with a.
func (h *health) get(a ailment) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.errs[a]
}

// all tells what is wrong with anything.
func (h *health) all() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Join(h.errs[:]...)
}
