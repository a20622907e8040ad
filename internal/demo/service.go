package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/subscriber"
)

const (
	callTimeout   = 5 * time.Second
	healWithin    = 10 * time.Second
	summarizeEach = 10 * time.Second
)

// service is what users write: it calls WeChat all the time, with the token that its source holds.
type service struct {
	*show
	src  *subscriber.Source
	call string // URL without access_token
	rate time.Duration

	answered, refused, healed int
}

// run calls until ctx ends.
func (s *service) run(ctx context.Context) {
	calls := time.NewTicker(s.rate)
	defer calls.Stop()
	summaries := time.NewTicker(summarizeEach)
	defer summaries.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-calls.C:
			s.callOnce(ctx)
		case <-summaries.C:
			s.line("service", "%s answered, %d refused, %d of those repeated with success", plural(s.answered, "call"), s.refused, s.healed)
		}
	}
}

// callOnce makes a call, and makes it again if WeChat refuses the token.
func (s *service) callOnce(ctx context.Context) {
	tok, err := s.src.Token()
	if err != nil {
		s.line("service", "has no token: %v", err)
		return
	}
	code, err := s.get(ctx, tok)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.line("service", "call failed: %v", err)
	case wechat.IsStale(code):
		s.refused++
		s.heal(ctx, tok, code)
	default:
		s.answered++
	}
}

func (s *service) heal(ctx context.Context, tok subscriber.Token, code int) {
	ctx, cancel := context.WithTimeout(ctx, healWithin)
	defer cancel()
	started := time.Now()
	s.line("service", "WeChat says %d to token %s: reporting it", code, tok.ID)
	newer, err := s.src.Refresh(ctx, tok)
	if err != nil {
		s.line("service", "has no newer token: %v", err)
		return
	}
	if code, err := s.get(ctx, newer); code != 0 || err != nil {
		s.line("service", "WeChat says %d to token %s too (%v)", code, newer.ID, err)
		return
	}
	s.answered++
	s.healed++
	s.line("service", "the same call is answered with token %s, %d ms after it was refused", newer.ID, time.Since(started).Milliseconds())
}

// get calls the API and returns its errcode.
func (s *service) get(ctx context.Context, tok subscriber.Token) (code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.call+"?access_token="+url.QueryEscape(tok.AccessToken()), nil)
	if err != nil {
		return 0, errors.New("the API's URL is not one")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if inURL, is := errors.AsType[*url.Error](err); is { // quotes the URL, token included
			err = inURL.Err
		}
		return 0, err
	}
	defer resp.Body.Close()
	var body struct {
		ErrCode int `json:"errcode"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&body); err != nil {
		return 0, fmt.Errorf("HTTP %d and no JSON", resp.StatusCode)
	}
	return body.ErrCode, nil
}
