package wxsim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

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
