package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wxtoken/wxtoken/internal/soak/record"
)

// Config is what a stage is made of.
type Config struct {
	Dir      string // everything is written below it
	Programs Programs
	Life     time.Duration // of a token
	Ahead    time.Duration // WX_REFRESH_AHEAD
}

// Stage is all that runs.
type Stage struct {
	Book       *record.Book
	Accounts   []Account
	Cluster    *Cluster
	WeChat     *WeChat
	Publishers []*Part
	Services   []*Part
	Agent      *Part
	Client     *Part // calls through Agent

	cfg   Config
	ports *ports
	net   *network
	edge  *edge
	stop  func()
	wait  sync.WaitGroup

	mu   sync.Mutex
	pids map[int]string // of publishers
}

// Part is a process with its ways to NATS and to WeChat.
type Part struct {
	*Process
	NATS   *Link // nil: none
	WeChat *Gate // nil: none
	addr   string
}

// The names of the parts that aren't numbered.
const (
	AgentName  = "agent"
	ClientName = "client-of-agent"
)

// Accounts of a soak: two for each of WeChat's endpoints.
func accounts() []Account {
	var list []Account
	for i, endpoint := range []string{"stable_token", "token", "stable_token", "token"} {
		list = append(list, Account{
			AppID: fmt.Sprintf("wx50a4%012d", i+1), Secret: fmt.Sprintf("soak-secret-of-account-%d-never-shown", i+1), Endpoint: endpoint,
		})
	}
	return list
}

// Set starts everything and returns when all clients have tokens. Close ends it, also after an error.
func Set(ctx context.Context, cfg Config) (*Stage, error) {
	s := &Stage{
		Book: record.New(record.Rules{Ahead: cfg.Ahead, Through: map[string]string{ClientName: AgentName}}), Accounts: accounts(),
		cfg: cfg, ports: &ports{}, pids: make(map[int]string),
	}
	s.net = newNetwork(s.ports)
	running, stop := context.WithCancel(context.WithoutCancel(ctx)) // until Close
	s.stop = stop
	return s, s.set(ctx, running)
}

func (s *Stage) set(ctx, running context.Context) error {
	steps := []func(context.Context) error{s.setWeChat, s.setCluster, s.setPublishers, s.setClients}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	s.wait.Go(func() { s.readLogs(running) })
	w := &watcher{nc: s.Cluster.watcher, book: s.Book, appids: s.appids(), minterOf: s.publisherOf}
	s.wait.Go(func() {
		if err := w.run(running); err != nil {
			s.Book.Unwell("the watch over the store: " + err.Error())
		}
	})
	if err := s.Cluster.AwaitWhole(ctx); err != nil {
		return err
	}
	return await(ctx, time.Minute, "tokens in all clients", func(context.Context) error {
		for name, calls := range s.Book.Calls() {
			if calls == 0 {
				return errors.New(name + " hasn't called yet")
			}
		}
		return nil
	})
}

func (s *Stage) appids() []string {
	var list []string
	for _, a := range s.Accounts {
		list = append(list, a.AppID)
	}
	return list
}

func (s *Stage) setWeChat(ctx context.Context) error {
	addr, err := s.ports.addr()
	if err != nil {
		return err
	}
	s.WeChat = newWeChat(s.cfg.Programs, s.cfg.Dir, addr, s.cfg.Life, s.Accounts, s.Book)
	s.edge = newEdge(s.Book, addr)
	return s.WeChat.Begin(ctx)
}

func (s *Stage) setCluster(ctx context.Context) error {
	var err error
	if s.Cluster, err = newCluster(s.cfg.Programs.NATS, s.cfg.Dir, s.net); err != nil {
		return err
	}
	return s.Cluster.start(ctx)
}

const publisherCount = 3

func (s *Stage) setPublishers(context.Context) error {
	file := filepath.Join(s.cfg.Dir, "accounts.json")
	var list []map[string]string
	for _, a := range s.Accounts {
		list = append(list, map[string]string{"appid": a.AppID, "secret": a.Secret, "endpoint": a.Endpoint})
	}
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return err
	}
	for i := range publisherCount {
		p, err := s.part("publisher-"+strconv.Itoa(i+1), true, true)
		if err != nil {
			return err
		}
		p.path, p.args = s.cfg.Programs.Wxtoken, []string{"publisher"}
		p.env = []string{"WX_ACCOUNTS_FILE=" + file, "WX_API_BASE=" + p.WeChat.url(), "NATS_URL=" + p.NATS.URL(), "WX_REPLICAS=3", "WX_HTTP_TIMEOUT=2s",
			"WX_LEASE_TTL=3s", "WX_REFRESH_AHEAD=" + s.cfg.Ahead.String(), "WX_HTTP_ADDR=" + p.addr, "WX_LOG_LEVEL=debug", "WX_LOG_FORMAT=json"}
		p.started = func() { s.mu.Lock(); defer s.mu.Unlock(); s.pids[p.PID()] = p.Name }
		s.Publishers = append(s.Publishers, p)
		if err := p.Start(); err != nil {
			return err
		}
	}
	return nil
}

// publisherOf finds the process of a publisher's name, which is host/pid.
func (s *Stage) publisherOf(name string) string {
	_, pid, _ := strings.Cut(name, "/")
	n, _ := strconv.Atoi(pid) // 0 is nobody's
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pids[n]
}

// part makes a part that listens, if it does, on addr.
func (s *Stage) part(name string, onNATS, onWeChat bool) (*Part, error) {
	addrs, err := s.ports.addrs(2)
	if err != nil {
		return nil, err
	}
	p := &Part{Process: &Process{Name: name, dir: s.cfg.Dir}, addr: addrs[0]}
	if onWeChat {
		if p.WeChat, err = s.edge.gate(name, addrs[1]); err != nil {
			return nil, err
		}
	}
	if onNATS {
		p.NATS, err = s.net.link(name, s.Cluster.addrs()...)
	}
	return p, err
}

// Ready waits until a publisher or an agent says that it is.
func (p *Part) Ready(ctx context.Context) error {
	return await(ctx, time.Minute, p.Name+" to be ready", func(ctx context.Context) error { return p.get(ctx, "/readyz", nil) })
}

func (p *Part) get(ctx context.Context, path string, take func([]byte)) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return readAll(resp, take)
}

// Close ends all processes.
func (s *Stage) Close() error {
	s.stop()
	s.wait.Wait()
	var errs []error
	for _, p := range s.processes() {
		p.Resume()
		if p.Running() {
			errs = append(errs, p.Stop())
		}
	}
	if s.Cluster != nil && s.Cluster.watcher != nil {
		s.Cluster.watcher.Close()
	}
	if s.edge != nil {
		s.edge.close()
	}
	s.net.close()
	return errors.Join(errs...)
}

// processes are all that were started, in the order in which they are ended.
func (s *Stage) processes() []*Process {
	var list []*Process
	for _, p := range s.parts() {
		list = append(list, p.Process)
	}
	if s.Cluster != nil {
		for _, server := range s.Cluster.Servers {
			list = append(list, server.Process)
		}
	}
	if s.WeChat != nil {
		list = append(list, s.WeChat.Process)
	}
	var started []*Process
	for _, p := range list {
		if p.Started() {
			started = append(started, p)
		}
	}
	return started
}

func (s *Stage) parts() []*Part {
	list := append([]*Part{}, s.Services...)
	for _, p := range []*Part{s.Client, s.Agent} {
		if p != nil {
			list = append(list, p)
		}
	}
	return append(list, s.Publishers...)
}
