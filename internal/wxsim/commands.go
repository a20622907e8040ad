package wxsim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
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

func statsCommand(s *Server, r *http.Request) (any, error) {
	query, err := queryOf(r, "appid")
	if err != nil {
		return nil, err
	}
	stats, err := s.Stats(orDefault(query.Get("appid"), All))
	if err != nil {
		return nil, err
	}
	return stats, nil
}

func tokenCommand(s *Server, r *http.Request) (any, error) {
	query, err := queryOf(r, "appid", "channel", "reveal")
	if err != nil {
		return nil, err
	}
	appid, err := s.named(query.Get("appid"))
	if err != nil {
		return nil, err
	}
	channel := orDefault(Channel(query.Get("channel")), ChannelStable)
	info, err := s.Token(appid, channel)
	if err != nil {
		return nil, err
	}
	return newTokenAnswer(appid, channel, info, query.Get("reveal") == "1"), nil
}

type tokenAnswer struct {
	AppID       string     `json:"appid"`
	Channel     Channel    `json:"channel"`
	ID          string     `json:"id"` // empty: there is no current token
	PreviousID  string     `json:"previous_id"`
	MintedAt    *time.Time `json:"minted_at,omitempty"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	Age         float64    `json:"age"`       // seconds
	Remaining   float64    `json:"remaining"` // seconds
	ErrCode     int        `json:"errcode"`   // that a call with the token gets
	AccessToken string     `json:"access_token,omitempty"`
}

func newTokenAnswer(appid string, ch Channel, info TokenInfo, reveal bool) tokenAnswer {
	a := tokenAnswer{AppID: appid, Channel: ch, ID: info.ID, PreviousID: info.PreviousID, ErrCode: info.Code}
	if info.ID == "" {
		return a
	}
	a.MintedAt, a.ExpiresAt = &info.MintedAt, &info.ExpiresAt
	a.Age = time.Since(info.MintedAt).Seconds()
	a.Remaining = max(0, time.Until(info.ExpiresAt).Seconds())
	if reveal {
		a.AccessToken = info.Token.Reveal()
	}
	return a
}

func ticketCommand(s *Server, r *http.Request) (any, error) {
	query, err := queryOf(r, "appid", "type")
	if err != nil {
		return nil, err
	}
	appid, err := s.named(query.Get("appid"))
	if err != nil {
		return nil, err
	}
	kind := orDefault(TicketType(query.Get("type")), TicketJSAPI)
	info, err := s.Ticket(appid, kind)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"appid": appid, "type": kind, "id": info.ID, "valid": info.Valid}
	if info.ID != "" {
		answer["made_at"], answer["age"] = info.MadeAt, time.Since(info.MadeAt).Seconds()
	}
	return answer, nil
}

func ledgerCommand(s *Server, r *http.Request) (any, error) {
	query, err := queryOf(r, "appid", "after", "limit")
	if err != nil {
		return nil, err
	}
	appid, err := s.named(orDefault(query.Get("appid"), All))
	if err != nil {
		return nil, err
	}
	after, err := number(query, "after")
	if err != nil {
		return nil, err
	}
	limit, err := number(query, "limit")
	if err != nil {
		return nil, err
	}
	mints := s.LedgerAfter(appid, after)
	if limit > 0 && uint64(len(mints)) > limit {
		mints = mints[:limit]
	}
	return append([]Mint{}, mints...), nil
}

func accountsCommand(s *Server, r *http.Request) (any, error) {
	return append([]string{}, s.AppIDs()...), nil
}

func addAccountCommand(s *Server, r *http.Request) (any, error) {
	var body struct {
		AppID     string   `json:"appid"`
		Secret    string   `json:"secret"`
		Whitelist []string `json:"whitelist"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	return nil, s.AddAccount(Account(body))
}

func faultsCommand(s *Server, r *http.Request) (any, error) { return s.Faults(), nil }

func addFaultCommand(s *Server, r *http.Request) (any, error) {
	var f Fault
	shadow := f.shadow()
	if err := decode(r, &shadow); err != nil {
		return nil, err
	}
	id, err := s.AddFault(f)
	if err != nil {
		return nil, err
	}
	return map[string]int{"id": id}, nil
}

func removeFaultsCommand(s *Server, r *http.Request) (any, error) {
	query, err := queryOf(r, "id", "appid")
	if err != nil {
		return nil, err
	}
	if query.Has("id") == query.Has("appid") {
		return nil, errors.New("field id or appid: name one of them (appid=* removes all)")
	}
	if query.Has("appid") {
		appid, err := s.named(query.Get("appid"))
		if err != nil {
			return nil, err
		}
		return map[string]int{"removed": s.ClearFaults(appid)}, nil
	}
	id, err := number(query, "id")
	if err != nil {
		return nil, err
	}
	if !s.RemoveFault(int(id)) {
		return nil, fmt.Errorf("field id: fault %d doesn't stand (any more)", id)
	}
	return map[string]int{"removed": 1}, nil
}

func revokeCommand(s *Server, r *http.Request) (any, error) {
	body := struct {
		AppID   string  `json:"appid"`
		Channel Channel `json:"channel"`
		Sticky  bool    `json:"sticky"`
	}{Channel: ChannelStable}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	return s.act(body.AppID, func(appid string) error { return s.Revoke(appid, body.Channel, body.Sticky) })
}

// act runs an action on the account that is meant.
func (s *Server) act(appid string, action func(appid string) error) (any, error) {
	appid, err := s.named(appid)
	if err != nil {
		return nil, err
	}
	return nil, action(appid)
}

func mintCommand(s *Server, r *http.Request) (any, error) {
	body := struct {
		AppID   string  `json:"appid"`
		Channel Channel `json:"channel"`
		Force   bool    `json:"force"`
	}{Channel: ChannelToken}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	appid, err := s.named(body.AppID)
	if err != nil {
		return nil, err
	}
	id, err := s.ForeignMint(appid, body.Channel, body.Force)
	if err != nil {
		return nil, err
	}
	return map[string]string{"id": id}, nil
}

func stateCommand(s *Server, r *http.Request) (any, error) {
	var body struct {
		AppID string `json:"appid"`
		State State  `json:"state"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	return s.act(body.AppID, func(appid string) error { return s.SetState(appid, body.State) })
}

func whitelistCommand(s *Server, r *http.Request) (any, error) {
	var body struct {
		AppID string   `json:"appid"`
		IPs   []string `json:"ips"`
		Now   bool     `json:"now"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	return s.act(body.AppID, func(appid string) error { return s.SetWhitelist(appid, body.IPs, body.Now) })
}

func confirmCommand(s *Server, r *http.Request) (any, error) {
	var body struct {
		AppID  string        `json:"appid"`
		Action ConfirmAction `json:"action"`
		IP     string        `json:"ip"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	return s.act(body.AppID, func(appid string) error { return s.SetConfirmation(appid, body.Action, body.IP) })
}

func secretCommand(s *Server, r *http.Request) (any, error) {
	var body struct {
		AppID  string `json:"appid"`
		Secret string `json:"secret"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	return s.act(body.AppID, func(appid string) error { return s.SetSecret(appid, body.Secret) })
}

func expiresInCommand(s *Server, r *http.Request) (any, error) {
	var body struct {
		AppID     string   `json:"appid"`
		ExpiresIn duration `json:"expires_in"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	return s.act(body.AppID, func(appid string) error { return s.SetExpiresIn(appid, time.Duration(body.ExpiresIn)) })
}

func knobsCommand(s *Server, r *http.Request) (any, error) {
	query, err := queryOf(r, "appid")
	if err != nil {
		return nil, err
	}
	appid, err := s.named(query.Get("appid"))
	if err != nil {
		return nil, err
	}
	k, err := s.Knobs(appid)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// setKnobsCommand changes the knobs that the body names. With all accounts, each keeps what is its own otherwise.
func setKnobsCommand(s *Server, r *http.Request) (any, error) {
	data, err := io.ReadAll(io.LimitReader(r.Body, maxJSONBody))
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	var trial Knobs
	appid, err := decodeKnobs(data, &trial)
	if err != nil {
		return nil, err
	}
	if err := trial.check(); err != nil {
		return nil, err
	}
	return s.act(appid, func(appid string) error {
		return s.eachSettings(appid, func(st *settings) { decodeKnobs(data, &st.knobs) })
	})
}

func decodeKnobs(data []byte, k *Knobs) (appid string, err error) {
	body := struct {
		AppID string `json:"appid"`
		knobsJSON
	}{knobsJSON: k.shadow()}
	err = decode(&http.Request{Body: io.NopCloser(bytes.NewReader(data))}, &body)
	return body.AppID, err
}
