package wxsim

import (
	"net/http"
)

// command is one endpoint under /_sim/. What it returns is sent as JSON; its error is the caller's fault, status 400.
type command struct {
	method, path string
	help, curl   string
	serve        func(s *Server, r *http.Request) (any, error)
}

func commands() []command {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	return []command{
		{get, "stats", "counters of one account, or of all", `/_sim/stats?appid=wx1'`, statsCommand},
		{get, "token", "current token of a channel: id, age, previous id; the token itself only with reveal=1", `/_sim/token?appid=wx1&channel=stable_token'`, tokenCommand},
		{get, "ticket", "the ticket that was given last (type jsapi or wx_card)", `/_sim/ticket?appid=wx1&type=jsapi'`, ticketCommand},
		{get, "ledger", "every mint; after=SEQ follows it, limit=N cuts it off", `/_sim/ledger?appid=*&after=0'`, ledgerCommand},
		{get, "accounts", "the appids", `/_sim/accounts'`, accountsCommand},
		{post, "accounts", "add an account; whitelist is optional", `/_sim/accounts' -d '{"appid":"wx1","secret":"s","whitelist":["127.0.0.1"]}'`, addAccountCommand},
		{get, "faults", "the faults that stand", `/_sim/faults'`, faultsCommand},
		{post, "faults", "add a fault; see its fields and kinds above", `/_sim/faults' -d '{"appid":"*","group":"mint","kind":"hang","after":true,"count":1}'`, addFaultCommand},
		{del, "faults", "remove one fault (id=1), an account's (appid=wx1) or all (appid=*)", `/_sim/faults?appid=*' -X DELETE`, removeFaultsCommand},
		{post, "revoke", "the current token dies at once; sticky: stable_token goes on giving the dead one", `/_sim/revoke' -d '{"appid":"wx1","channel":"stable_token","sticky":false}'`, revokeCommand},
		{post, "mint", "a stranger with the secret mints", `/_sim/mint' -d '{"appid":"wx1","channel":"token","force":false}'`, mintCommand},
		{post, "state", "freeze and unfreeze: " + choices(states), `/_sim/state' -d '{"appid":"wx1","state":"secret_frozen"}'`, stateCommand},
		{post, "whitelist", "IPs that may use the secret, after the lag or now; an empty list lets all", `/_sim/whitelist' -d '{"appid":"wx1","ips":["203.0.113.0/24"],"now":true}'`, whitelistCommand},
		{post, "confirm", "89503: " + choices(confirmActions) + "; without ip: all that called", `/_sim/confirm' -d '{"appid":"wx1","action":"require","ip":""}'`, confirmCommand},
		{post, "secret", "reset the AppSecret", `/_sim/secret' -d '{"appid":"wx1","secret":"new"}'`, secretCommand},
		{post, "expires_in", "life of new tokens; all windows scale with it", `/_sim/expires_in' -d '{"appid":"*","expires_in":"6s"}'`, expiresInCommand},
		{get, "knobs", "behaviour of one account, or (appid=*) of those added later", `/_sim/knobs?appid=wx1'`, knobsCommand},
		{post, "knobs", "change some knobs; GET shows their names", `/_sim/knobs' -d '{"appid":"*","replaced_code":42001,"whitelist_lag":"1m"}'`, setKnobsCommand},
	}
}
