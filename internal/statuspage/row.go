package statuspage

import (
	"errors"
	"fmt"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/publisher"
)

// row is an account.
type row struct {
	T                *texts
	AppID, Endpoint  string
	State, StateText string
	Open             bool // its details

	HasToken         bool
	ID               string
	Generation       uint64
	Percent          int // of its life that is left
	Left, LeftFull   string
	Ends, At         moment
	Reason, MintedBy string

	Trouble       *trouble
	Forced, Asked string // what is left of the budgets
	History       []mint
}

const rowPrefix = "account-"

// ElementID is what the row's element is called.
func (r row) ElementID() string { return rowPrefix + r.AppID }

// trouble is the last mint that failed.
type trouble struct {
	Headline, What, Todo string
	Retry                moment
}

// mint is one of the last ones.
type mint struct {
	Reason, ID, By string
	Generation     uint64
	At             moment
}

func newRow(t *texts, a publisher.AccountStatus, history []publisher.Minted, now time.Time, open bool) row {
	r := row{
		T: t, AppID: a.AppID, Endpoint: a.Endpoint, State: stateOf(a).String(), StateText: t.problem(a), Open: open,
		Forced: t.number(a.ForcedLeft), Asked: t.number(a.AskedLeft), Trouble: newTrouble(t, a, now),
	}
	if a.BudgetsUnknown {
		r.Forced, r.Asked = t.Unknown, t.Unknown
	}
	if a.TokenID != "" {
		r.setToken(a, now)
	}
	for _, m := range history {
		r.History = append(r.History, mint{Reason: t.reason(m.Reason), ID: m.ID, By: m.By, Generation: m.Generation, At: t.moment(m.At, now)})
	}
	return r
}

func (r *row) setToken(a publisher.AccountStatus, now time.Time) {
	t := r.T
	r.HasToken, r.ID, r.Generation = true, a.TokenID, a.Generation
	r.Reason, r.MintedBy = t.reason(a.Reason), a.MintedBy
	r.At, r.Ends = t.moment(a.MintedAt, now), t.moment(a.ExpiresAt, now)
	left, life := a.ExpiresAt.Sub(now), a.ExpiresAt.Sub(a.MintedAt)
	if left <= 0 {
		r.Left = t.ended(r.Ends.Text)
		r.LeftFull = r.Left
		return
	}
	r.Percent = percent(left, life)
	r.Left = t.toGo(t.duration(left))
	r.LeftFull = t.left(r.Percent, t.duration(left))
}

// percent is never 0 of what is left.
func percent(left, life time.Duration) int {
	if life <= 0 {
		return 100
	}
	return min(max(int(100*left.Seconds()/life.Seconds()), 1), 100)
}

func newTrouble(t *texts, a publisher.AccountStatus, now time.Time) *trouble {
	if a.LastErr == nil {
		return nil
	}
	tr := &trouble{Headline: t.failed(max(a.Failures, 1)), What: a.LastErr.Error(), Todo: t.retries}
	if a.RetryAt.After(now) {
		tr.Retry = t.moment(a.RetryAt, now)
	}
	refused, is := errors.AsType[*wechat.Error](a.LastErr)
	if !is {
		return tr
	}
	tr.Todo = t.todo(refused)
	switch {
	case refused.Code != 0:
		tr.What = t.says(refused.Code, refused.Msg)
	case refused.Err != nil && refused.Host != "":
		tr.What = fmt.Sprintf("%s: %v", refused.Host, refused.Err)
	case refused.Err != nil:
		tr.What = refused.Err.Error()
	}
	return tr
}
