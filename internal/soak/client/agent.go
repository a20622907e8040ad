package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// askEvery is how often an agent is asked which token it has.
const askEvery = 50 * time.Millisecond

// throughAgent calls as a service in another language does: without any token.
func (c *caller) throughAgent(ctx context.Context, cfg Config) error {
	ready := func(appid string) (*http.Client, error) {
		go c.askFor(ctx, cfg.Agent, appid)
		return &http.Client{Transport: patient{http.DefaultTransport}}, nil
	}
	return c.callAll(ctx, cfg.AppIDs, ready, func(ctx context.Context, appid string) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, cfg.Agent+"/cgi-bin/user/get", nil)
		if err == nil {
			req.Header.Set("X-WX-AppID", appid)
		}
		return req, err
	})
}

// patient tries again, until the request's ctx ends, while nothing listens: so do clients of a process beside them, which
// is restarted now and then.
type patient struct{ base http.RoundTripper }

// RoundTrip is http.RoundTripper's, for requests without a body.
func (p patient) RoundTrip(req *http.Request) (*http.Response, error) {
	for {
		resp, err := p.base.RoundTrip(req)
		if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" {
			return resp, err
		}
		select {
		case <-req.Context().Done():
			return nil, err
		case <-time.After(callEvery):
		}
	}
}

// askFor tells which token the agent gives an SDK.
func (c *caller) askFor(ctx context.Context, agent, appid string) {
	hc := &http.Client{Timeout: time.Second}
	ask := agent + "/cgi-bin/token?" + url.Values{"grant_type": {"client_credential"}, "appid": {appid}, "secret": {"any"}}.Encode()
	last := ""
	every := time.NewTicker(askEvery)
	defer every.Stop()
	for ctx.Err() == nil {
		if id := idOf(hc, ask); id != "" && id != last {
			c.tell(Line{Tell: TellHold, AppID: appid, ID: id, At: time.Now()})
			last = id
		}
		<-every.C
	}
}

// idOf is the id of the token in the answer, or empty if there is none.
func idOf(hc *http.Client, ask string) string {
	resp, err := hc.Get(ask)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&answer); err != nil || answer.AccessToken == "" {
		return ""
	}
	return wire.TokenID(answer.AccessToken)
}
