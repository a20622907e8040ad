package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/wxtoken/wxtoken/subscriber"
)

// service calls WeChat all the time with whatever src.Token() gives, and does nothing about refusals.
type service struct {
	w   *world
	src *subscriber.Source

	mu      sync.Mutex
	seen    []subscriber.Token // each token once, in the order in which they came
	calls   int
	wrong   []string // what a service should never see
	lastErr string   // what Token gave the last time, if it was an error
}

// callEvery is the pause between two calls, so that the simulator leaves the processors to the others.
const callEvery = 5 * time.Millisecond

// startService opens a source and calls until the returned function is called.
func (w *world) startService() (s *service, stop func()) {
	w.t.Helper()
	s = &service{w: w, src: w.open(w.connect())}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		pace := time.NewTicker(callEvery)
		defer pace.Stop()
		for ctx.Err() == nil {
			s.callOnce(ctx)
			<-pace.C
		}
	}()
	stop = func() { cancel(); <-done }
	w.t.Cleanup(stop)
	return s, stop
}

func (s *service) callOnce(ctx context.Context) {
	tok, err := s.src.Token()
	s.took(tok, err)
	if err != nil {
		return
	}
	code, err := s.call(ctx, tok)
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if code != 0 || err != nil {
		s.wrong = append(s.wrong, fmt.Sprintf("call %d with token %s: errcode %d, %v", s.calls, tok.ID, code, err))
	}
}

// took takes note of what Token gave.
func (s *service) took(tok subscriber.Token, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if err.Error() != s.lastErr {
			s.wrong = append(s.wrong, fmt.Sprintf("Token: %v", err))
		}
		s.lastErr = err.Error()
		return
	}
	s.lastErr = ""
	if len(s.seen) == 0 {
		s.seen = append(s.seen, tok)
		return
	}
	switch newest := s.seen[len(s.seen)-1]; {
	case tok.Generation < newest.Generation:
		s.wrong = append(s.wrong, fmt.Sprintf("generation %d after %d", tok.Generation, newest.Generation))
	case tok.ID != newest.ID:
		s.seen = append(s.seen, tok)
	}
}

func (s *service) call(ctx context.Context, tok subscriber.Token) (code int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.w.simURL+"/cgi-bin/user/get?access_token="+tok.AccessToken(), nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var reply struct {
		ErrCode int `json:"errcode"`
	}
	err = json.NewDecoder(resp.Body).Decode(&reply)
	return reply.ErrCode, err
}

// tokens are those that it has used.
func (s *service) tokens() []subscriber.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// awaitToken waits until the service uses its nth token, counted from 1.
func (s *service) awaitToken(n int) subscriber.Token {
	s.w.t.Helper()
	await(s.w.t, fmt.Sprintf("token %d", n), func() bool { return len(s.tokens()) >= n })
	return s.tokens()[n-1]
}

// check tells whether all went as a service may expect.
func (s *service) check() {
	s.w.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, what := range s.wrong[:min(len(s.wrong), 20)] {
		s.w.t.Error(what)
	}
	s.w.t.Logf("%d calls with %d tokens, %d faults", s.calls, len(s.seen), len(s.wrong))
}
