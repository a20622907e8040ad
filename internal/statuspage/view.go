package statuspage

import (
	"time"

	"github.com/wxtoken/wxtoken/publisher"
)

// view is what the templates show.
type view struct {
	T                       *texts
	Title                   string // of the window
	Publisher               string
	English, Chinese, Clear string // links
	Events                  string // the stream's link
	Search                  string
	Lang                    string // if the viewer chose it

	State, Headline, Note string
	Facts                 []fact
	Rows                  []row
	Empty, Showing, Page  string
	Previous, Next        string
	Peers                 []peer
	Server                *server
	Buckets               []bucket
}

type fact struct {
	Label, Value, State string
}

// counts are the accounts by their state.
type counts struct{ ok, warn, bad int }

func (c counts) all() int { return c.ok + c.warn + c.bad }

func count(accounts []publisher.AccountStatus) (c counts) {
	for _, a := range accounts {
		switch stateOf(a) {
		case stateOK:
			c.ok++
		case stateWarn:
			c.warn++
		case stateBad:
			c.bad++
		}
	}
	return c
}

func newView(q query, s publisher.Status, around publisher.Surroundings, f found, minted map[string][]publisher.Minted) *view {
	t := textsIn(q.lang)
	v := &view{
		T: t, Publisher: s.Publisher, Search: q.search,
		English: q.in(langEN).link("/"), Chinese: q.in(langZH).link("/"), Clear: q.searching("").link("/"),
		Events: q.in(q.lang).link("/events"),
	}
	if q.chosen {
		v.Lang = q.lang
	}
	v.summarize(s)
	v.turnPages(q, f, len(s.Accounts))
	for _, a := range f.accounts {
		v.Rows = append(v.Rows, newRow(t, a, minted[a.AppID], s.At, len(s.Accounts) <= openUpTo))
	}
	v.surround(around, s.At)
	return v
}

// openUpTo is up to how many accounts their details are open at first.
const openUpTo = 2

func (v *view) summarize(s publisher.Status) {
	t, c := v.T, count(s.Accounts)
	v.State, v.Headline = stateOK.String(), t.headline(c)
	switch {
	case !s.Connected:
		v.State, v.Headline, v.Note = stateBad.String(), t.disconnected, t.disconnectedNote
	case s.StoreErr != nil:
		v.State, v.Headline, v.Note = stateBad.String(), t.storeAway, s.StoreErr.Error()
	case c.bad > 0:
		v.State = stateBad.String()
	case c.warn > 0:
		v.State = stateWarn.String()
	}
	v.Title = v.Headline + " · " + t.Title
	v.Facts = []fact{
		{t.Accounts, t.number(c.all()), ""},
		{t.Good, t.number(c.ok + c.warn), ""},
		{t.Failing, t.number(c.warn), stateIf(c.warn > 0, stateWarn)},
		{t.Troubled, t.number(c.bad), stateIf(c.bad > 0, stateBad)},
		{t.Soonest, v.soonest(s), ""},
	}
}

func stateIf(is bool, s state) string {
	if is {
		return s.String()
	}
	return ""
}

// soonest is when the first of the live tokens ends.
func (v *view) soonest(s publisher.Status) string {
	var end time.Time
	for _, a := range s.Accounts {
		if a.Live && (end.IsZero() || a.ExpiresAt.Before(end)) {
			end = a.ExpiresAt
		}
	}
	if end.IsZero() {
		return "–"
	}
	return v.T.moment(end, s.At).Text
}

func (v *view) turnPages(q query, f found, all int) {
	switch {
	case all == 0:
		v.Empty = v.T.NoneHeld
	case f.matches == 0:
		v.Empty = v.T.Nothing
	default:
		v.Showing = v.T.showing(f.first, f.first+len(f.accounts)-1, f.matches)
	}
	if f.pages > 1 {
		v.Page = v.T.page(f.page, f.pages)
	}
	if f.page > 1 {
		v.Previous = q.onPage(f.page - 1).link("/")
	}
	if f.page < f.pages {
		v.Next = q.onPage(f.page + 1).link("/")
	}
}
