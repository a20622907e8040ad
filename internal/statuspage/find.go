package statuspage

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wxtoken/wxtoken/publisher"
)

const perPage = 50

// found is one page of the accounts that match a search.
type found struct {
	accounts []publisher.AccountStatus
	page     int // the one asked for, or the last
	pages    int
	first    int // place of the first account among all that match, from 1; 0 = there is none
	matches  int
}

// ranked is the accounts with those in trouble first, then those whose token ends first.
func ranked(accounts []publisher.AccountStatus) []publisher.AccountStatus {
	accounts = slices.Clone(accounts)
	slices.SortFunc(accounts, func(a, b publisher.AccountStatus) int {
		return cmp.Or(cmp.Compare(stateOf(b), stateOf(a)), a.ExpiresAt.Compare(b.ExpiresAt), cmp.Compare(a.AppID, b.AppID))
	})
	return accounts
}

// find leaves the accounts in their order.
func find(accounts []publisher.AccountStatus, q query) found {
	matching := accounts
	if q.search != "" {
		matching = matchingAccounts(accounts, strings.ToLower(q.search))
	}
	f := found{matches: len(matching), pages: max(1, (len(matching)+perPage-1)/perPage)}
	f.page = min(q.page, f.pages)
	from := (f.page - 1) * perPage
	f.accounts = matching[from:min(from+perPage, len(matching))]
	if len(f.accounts) > 0 {
		f.first = from + 1
	}
	return f
}

func matchingAccounts(accounts []publisher.AccountStatus, search string) (matching []publisher.AccountStatus) {
	for _, a := range accounts {
		if strings.Contains(strings.ToLower(a.AppID), search) || strings.Contains(a.TokenID, search) {
			matching = append(matching, a)
		}
	}
	return matching
}

// state is how bad things are.
type state int

const (
	stateOK   state = iota
	stateWarn       // services have a token, and the last mint failed
	stateBad        // services have no token
)

func stateOf(a publisher.AccountStatus) state {
	switch {
	case !a.Usable():
		return stateBad
	case a.LastErr != nil:
		return stateWarn
	}
	return stateOK
}

// String is the state's class in the style sheet.
func (s state) String() string { return [...]string{"ok", "warn", "bad"}[s] }
