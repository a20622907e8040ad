package publisher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wxtoken/wxtoken/internal/bus"
)

// What reports and operators may cost an account, whatever they do. Scheduled mints are never held back.
const (
	askedMintsInARow  = 10
	askedMintInterval = 5 * time.Minute // one more after this
	forcedPerDay      = 20
	forcedInterval    = 30 * time.Second
)

// beijing is where WeChat's quota days begin.
var beijing = time.FixedZone("Asia/Shanghai", 8*60*60)

// budgetSpentError tells that a request would cost more than its account may spend.
type budgetSpentError struct {
	what    string
	retryAt time.Time
}

func (e *budgetSpentError) Error() string {
	return fmt.Sprintf("%s: budget spent until %s", e.what, e.retryAt.UTC().Format(time.RFC3339))
}

// budget is what an account has spent, as all publishers share it.
type budget struct {
	// AskedFullAt is when the budget of mints that were asked for is whole again; each mint moves it by an interval.
	AskedFullAt time.Time `json:"asked_full_at"`
	ForcedAt    time.Time `json:"forced_at"`
	ForcedDay   string    `json:"forced_day"` // Beijing's
	Forced      int       `json:"forced"`     // on that day
}

// spendAsked takes one mint that a report or an operator asked for.
func (b *budget) spendAsked(now time.Time) error {
	from := b.AskedFullAt
	if from.Before(now) {
		from = now
	}
	full, most := from.Add(askedMintInterval), now.Add(askedMintsInARow*askedMintInterval)
	if full.After(most.Add(2 * askedMintInterval)) {
		full = most // written by a clock that was ahead, maybe by years
	}
	if full.After(most) {
		return &budgetSpentError{"mints by request", now.Add(full.Sub(most))}
	}
	b.AskedFullAt = full
	return nil
}

// spendForced takes one forced refresh.
func (b *budget) spendForced(now time.Time) error {
	today := now.In(beijing).Format(time.DateOnly)
	if b.ForcedDay != today {
		b.ForcedDay, b.Forced = today, 0
	}
	if b.Forced >= forcedPerDay {
		return &budgetSpentError{"forced refreshes", nextMidnight(now)}
	}
	ahead := b.ForcedAt.After(now.Add(forcedInterval)) // the clock that wrote it
	if next := b.ForcedAt.Add(forcedInterval); now.Before(next) && !ahead {
		return &budgetSpentError{"forced refreshes", next}
	}
	b.ForcedAt = now
	b.Forced++
	return nil
}

// left is how much may be spent at once.
func (b budget) left(now time.Time) (forced, asked int) {
	forced, asked = forcedPerDay, askedMintsInARow
	if b.ForcedDay == now.In(beijing).Format(time.DateOnly) {
		forced = max(0, forcedPerDay-b.Forced)
	}
	if debt := min(b.AskedFullAt.Sub(now), askedMintsInARow*askedMintInterval); debt > 0 {
		asked = max(0, askedMintsInARow-int((debt+askedMintInterval-1)/askedMintInterval))
	}
	return forced, asked
}

// budgets are those of all accounts that spent anything, as they were when they were last looked at.
type budgets struct{ byKey map[string][]byte }

func (bs *budgets) of(appid string) budget {
	return readBudget(bs.byKey[budgetKey(appid)])
}

// readBudget reads a stored budget. Of foreign bytes it makes a new one, which is better than none for ever.
func readBudget(value []byte) (b budget) {
	if json.Unmarshal(value, &b) != nil {
		return budget{}
	}
	b.Forced = max(b.Forced, 0)
	return b
}

// readBudgets looks at what was spent, for Status. Where NATS fails, what was read last is shown; but more budgets than
// the server gives at once will be too many the next time too, and what was read before would be shown for hours.
func (p *Publisher) readBudgets(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	found, err := p.ops.Match(ctx, budgetKey("*"))
	switch {
	case err == nil:
		p.budgets.Store(&budgets{found})
		return
	case errors.Is(err, bus.ErrTooMany):
		p.budgets.Store(nil)
	}
	p.log.Debug("budgets can't be shown", "err", err)
}

// spentBudget remembers that a budget is spent, so that asks that keep coming cost nothing but their answers.
type spentBudget struct {
	err   *budgetSpentError // nil = none was, so far
	until time.Time         // not looked at again before this
}

// budgetPause is the longest time for which a spent budget is not looked at again.
const budgetPause = 30 * time.Second

func (s *spentBudget) holdingBack(now time.Time) error {
	if s.err == nil || !now.Before(s.until) {
		return nil
	}
	return s.err
}

// note tells whether it is news.
func (s *spentBudget) note(err *budgetSpentError, now time.Time) bool {
	isNews := s.err == nil || *s.err != *err
	s.err, s.until = err, now.Add(budgetPause)
	if err.retryAt.Before(s.until) {
		s.until = err.retryAt
	}
	return isNews
}

func nextMidnight(now time.Time) time.Time {
	y, m, d := now.In(beijing).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, beijing)
}

// budgetLife is how long what was spent may matter: forced refreshes count by the day.
const budgetLife = 25 * time.Hour

func budgetKey(appid string) string { return "budget." + appid }

// spend changes an account's budget in the store before the mint that it pays for, so that a crash can't undo it. It
// returns *budgetSpentError if there is nothing left.
func spend(ctx context.Context, kv *bus.KV, appid string, take func(*budget) error) error {
	for {
		entry, err := kv.Latest(ctx, budgetKey(appid))
		if err != nil {
			return fmt.Errorf("read budget: %w", err)
		}
		var b budget
		if entry.Exists {
			b = readBudget(entry.Value)
		}
		if err := take(&b); err != nil {
			return err
		}
		value, err := json.Marshal(b)
		if err != nil {
			return fmt.Errorf("write budget: %w", err)
		}
		_, err = kv.Put(ctx, budgetKey(appid), value, entry.Revision, budgetLife)
		if !errors.Is(err, bus.ErrConflict) {
			return err
		}
	}
}
