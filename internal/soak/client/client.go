package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a client is told.
type Config struct {
	Name   string
	NATS   string // URLs; empty: it calls through Agent
	Agent  string // base URL
	WeChat string // base URL
	AppIDs []string
	Fleet  bool // one Fleet for all accounts, instead of a Source for each
}

const (
	callEvery   = 50 * time.Millisecond // per account
	callTimeout = 10 * time.Second      // refreshes and replays included
	tellEvery   = 500 * time.Millisecond
)

// Run calls until ctx ends.
func Run(ctx context.Context, config string, out io.Writer) error {
	var cfg Config
	if err := json.Unmarshal([]byte(config), &cfg); err != nil {
		return fmt.Errorf("configuration of a client: %w", err)
	}
	c := &caller{name: fmt.Sprintf("%s.%d", cfg.Name, os.Getpid()), teller: newTeller(out)}
	if cfg.NATS == "" {
		return c.throughAgent(ctx, cfg)
	}
	return c.subscribed(ctx, cfg)
}

// caller makes calls and tells of them.
type caller struct {
	name  string
	calls atomic.Int64
	ended atomic.Int64
	*teller
}

// callAll calls for every account with what it is given for it, until ctx ends.
func (c *caller) callAll(ctx context.Context, appids []string, ready func(appid string) (*http.Client, error), request func(ctx context.Context, appid string) (*http.Request, error)) error {
	var group sync.WaitGroup
	for _, appid := range appids {
		hc, err := ready(appid)
		if err != nil {
			return err
		}
		hc.Timeout = callTimeout
		group.Go(func() {
			pace := time.NewTicker(callEvery)
			defer pace.Stop()
			for ctx.Err() == nil {
				c.call(ctx, appid, hc, request)
				<-pace.C
			}
		})
	}
	count := time.NewTicker(tellEvery)
	defer count.Stop()
	for ctx.Err() == nil {
		select {
		case <-count.C:
		case <-ctx.Done():
		}
		c.tell(Line{Tell: TellCalls, At: time.Now(), Calls: c.ended.Load()})
	}
	group.Wait()
	return nil
}

func (c *caller) call(ctx context.Context, appid string, hc *http.Client, request func(context.Context, string) (*http.Request, error)) {
	name := fmt.Sprintf("%s/%d", c.name, c.calls.Add(1))
	begin := time.Now()
	req, err := request(ctx, appid)
	if err == nil {
		req.Header.Set(CallHeader, name)
		err = do(hc, req)
	}
	if ctx.Err() != nil {
		return
	}
	c.ended.Add(1)
	if err != nil {
		c.tell(Line{Tell: TellFail, AppID: appid, At: time.Now(), Call: name, Begin: begin, What: err.Error()})
	}
}

// do calls, and makes an error of all but WeChat's success.
func do(hc *http.Client, req *http.Request) error {
	resp, err := hc.Do(req)
	if err != nil {
		return errors.Unwrap(err) // without the URL
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	var answer struct {
		ErrCode int `json:"errcode"`
	}
	switch err := json.Unmarshal(data, &answer); {
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("status %s, errcode %d", resp.Status, answer.ErrCode)
	case err != nil:
		return errors.New("the answer isn't JSON")
	case answer.ErrCode != 0:
		return fmt.Errorf("errcode %d", answer.ErrCode)
	}
	return nil
}
