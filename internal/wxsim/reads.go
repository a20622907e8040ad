package wxsim

import (
	"net/http"
	"time"
)

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

func faultsCommand(s *Server, r *http.Request) (any, error) { return s.Faults(), nil }

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
