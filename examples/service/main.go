// Command service is a service as it may stand beside wxtoken: it calls WeChat once a second through a client that sees to
// the token, and tells at http://…:9404/ how that goes.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/subscriber"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stdout, nil))
	if err := run(ctx, log); err != nil && ctx.Err() == nil {
		log.Error("service ends", "err", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, log *slog.Logger) error {
	every, err := time.ParseDuration(cmp.Or(os.Getenv("CALL_EVERY"), "1s"))
	if err != nil {
		return fmt.Errorf("CALL_EVERY: %w", err)
	}
	nc, err := connect()
	if err != nil {
		return err
	}
	defer nc.Close()

	s := &service{api: cmp.Or(os.Getenv("WX_API_BASE"), "https://api.weixin.qq.com"), log: log}
	go s.serve() // not ready at first, which is better than not there
	if s.src, err = open(ctx, nc, s.api, log); err != nil {
		return err
	}
	defer s.src.Close()
	s.client = s.src.Client()
	s.client.Timeout = 20 * time.Second

	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		s.note(s.call(ctx))
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	return nil
}

// connect logs in with a seed file, and has replies sent where this user may listen.
func connect() (*nats.Conn, error) {
	options := append(subscriber.NATSOptions(), nats.Name("example service"))
	if seed := os.Getenv("NATS_NKEY"); seed != "" {
		login, err := nats.NkeyOptionFromSeed(seed)
		if err != nil {
			return nil, fmt.Errorf("NATS_NKEY %s: %w", seed, err)
		}
		options = append(options, login)
	}
	if prefix := os.Getenv("WX_INBOX_PREFIX"); prefix != "" {
		options = append(options, nats.CustomInboxPrefix(prefix))
	}
	return nats.Connect(cmp.Or(os.Getenv("NATS_URL"), nats.DefaultURL), options...)
}

// open waits for the first token. The simulator is no host of WeChat's, so it must be named to be given tokens.
func open(ctx context.Context, nc *nats.Conn, api string, log *slog.Logger) (*subscriber.Source, error) {
	u, err := url.Parse(api)
	if err != nil {
		return nil, err
	}
	options := []subscriber.Option{subscriber.WithLogger(log)}
	if u.Scheme == "http" {
		options = append(options, subscriber.WithAPIHosts(u.Host))
	}
	return subscriber.Open(ctx, nc, os.Getenv("WX_APPID"), options...)
}

type service struct {
	api    string
	log    *slog.Logger
	src    *subscriber.Source
	client *http.Client

	mu   sync.Mutex
	told report
}

// report is what is served.
type report struct {
	OK     int    `json:"ok"`
	Failed int    `json:"failed"`
	Last   string `json:"last"` // what was wrong the last time that something was
	Token  string `json:"token_id"`
	Tokens int    `json:"tokens"` // how many were used
	Ready  bool   `json:"ready"`
}

// call asks WeChat something harmless. There is no token in it: the client adds the newest, and replaces it if refused.
func (s *service) call(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+"/cgi-bin/get_api_domain_ip", nil)
	if err != nil {
		return err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var reply struct {
		ErrCode int    `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil {
		return err
	}
	if reply.ErrCode != 0 {
		return fmt.Errorf("WeChat says %d %s", reply.ErrCode, reply.ErrMsg)
	}
	return nil
}

func (s *service) note(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	tok, _ := s.src.Token() // for its id
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told.Ready = err == nil
	if err != nil {
		s.told.Failed++
		s.told.Last = err.Error()
		s.log.Error("call failed", "token_id", tok.ID, "err", err)
		return
	}
	s.told.OK++
	if tok.ID != s.told.Token {
		s.told.Token = tok.ID
		s.told.Tokens++
		s.log.Info("calls go on with another token", "token_id", tok.ID, "expires_at", tok.ExpiresAt, "ok", s.told.OK, "failed", s.told.Failed)
	}
}

func (s *service) serve() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		told := s.told
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if !told.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(told) // fails only with the connection
	})
	s.log.Error("status is not served", "err", http.ListenAndServe(cmp.Or(os.Getenv("STATUS_ADDR"), "127.0.0.1:9404"), nil))
}
