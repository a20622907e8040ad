package stage

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/wxtoken/wxtoken/internal/soak/client"
	"github.com/wxtoken/wxtoken/internal/soak/record"
)

// ClientEnv holds the configuration of a client: with it, the soak's program is one.
const ClientEnv = "WXTOKEN_SOAK_CLIENT"

// setClients starts two services that embed the subscriber, one with a fleet and one with a source for each account, and
// one that calls through an agent.
func (s *Stage) setClients(ctx context.Context) error {
	var err error
	for _, name := range []string{"service-1", "service-2"} {
		p, err := s.part(name, true, true)
		if err != nil {
			return err
		}
		s.Services = append(s.Services, p)
		err = s.setClient(p, client.Config{NATS: p.NATS.URL(), WeChat: p.WeChat.url(), Fleet: name == "service-1"})
		if err != nil {
			return err
		}
	}
	if s.Agent, err = s.part(AgentName, true, true); err != nil {
		return err
	}
	s.Agent.path, s.Agent.args = s.cfg.Programs.Wxtoken, []string{"agent"}
	s.Agent.env = []string{"WX_AGENT_ADDR=" + s.Agent.addr, "WX_API_BASE=" + s.Agent.WeChat.url(), "NATS_URL=" + s.Agent.NATS.URL(),
		"WX_LOG_LEVEL=debug", "WX_LOG_FORMAT=json"}
	if err := errors.Join(s.Agent.Start(), s.Agent.Ready(ctx)); err != nil {
		return err
	}
	if s.Client, err = s.part(ClientName, false, false); err != nil {
		return err
	}
	return s.setClient(s.Client, client.Config{Agent: "http://" + s.Agent.addr})
}

func (s *Stage) setClient(p *Part, cfg client.Config) error {
	cfg.Name, cfg.AppIDs = p.Name, s.appids()
	config, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	p.path, p.env = s.cfg.Programs.Self, []string{ClientEnv + "=" + string(config)}
	p.started = func() { s.Book.Started(p.Name) }
	p.ended = func() { s.Book.Ended(p.Name) }
	p.lines = func(out io.Reader) { s.listen(p.Name, out) }
	return p.Start()
}

// listen writes what a client tells into the book.
func (s *Stage) listen(name string, out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var l client.Line
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue // cut off by a kill
		}
		switch l.Tell {
		case client.TellHold:
			s.Book.Held(record.Hold{Client: name, AppID: l.AppID, ID: l.ID, At: l.At})
		case client.TellFail:
			s.Book.Failed(record.Fail{Client: name, Call: l.Call, AppID: l.AppID, What: l.What, Begin: l.Begin, End: l.At})
		case client.TellCalls:
			s.Book.Called(name, l.Calls)
		}
	}
}

// readLogs follows WeChat's log until ctx ends.
func (s *Stage) readLogs(ctx context.Context) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		if err := s.WeChat.ReadLog(); err != nil {
			s.Book.Unwell("WeChat's log: " + err.Error())
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

func readAll(resp *http.Response, take func([]byte)) error {
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return statusError(resp.Status)
	}
	if take != nil {
		take(data)
	}
	return nil
}

type statusError string

func (e statusError) Error() string { return "status " + string(e) }
