package agent

import (
	"net/http"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// appIDHeader names the account of a call.
const appIDHeader = "X-Wx-Appid" // as net/http writes X-WX-AppID

// choose finds whose call r is: the account that the header names, else the one whose token the call carries, else the
// only one. Else it says what to answer, and names no other account.
func (g *Agent) choose(r *http.Request, carried string) (*account, *refusal) {
	switch named := r.Header[appIDHeader]; {
	case len(named) > 1:
		return nil, &refusal{http.StatusBadRequest, badRequest, codeAppID, "the header X-WX-AppID is there more than once"}
	case len(named) == 1:
		return g.named(named[0])
	}
	if carried != "" {
		if a := g.accounts.holding(carried); a != nil {
			return a, nil
		}
	}
	if !g.listed.Load() { // the only one found so far may be one of many
		return nil, notListed()
	}
	only, count := g.accounts.only()
	if only != nil {
		return only, nil
	}
	if count == 0 {
		return nil, &refusal{http.StatusServiceUnavailable, noToken, codeBusy, "no account has a token yet"}
	}
	return nil, &refusal{http.StatusBadRequest, badRequest, codeNoAppID, "name the account in the header X-WX-AppID, as more than one is served here"}
}

// named finds the account of an appid. Those that exist but can't be read are none to the caller either.
func (g *Agent) named(appid string) (*account, *refusal) {
	if wire.CheckAppID(appid) != nil {
		return nil, &refusal{http.StatusBadRequest, badRequest, codeAppID, "what names the account is no AppID"}
	}
	a := g.accounts.get(appid)
	switch {
	case a == nil && !g.listed.Load():
		return nil, notListed()
	case a == nil:
		return nil, &refusal{http.StatusNotFound, unknownAccount, codeAppID, "account " + appid + " is not served here: look at WX_APPIDS, and whether a publisher holds it"}
	}
	return a, nil
}

// notListed is the answer while the accounts of the bucket are still looked for.
func notListed() *refusal {
	return &refusal{http.StatusServiceUnavailable, noToken, codeBusy, "the accounts have not been read from NATS yet: try again, and look at /readyz"}
}
