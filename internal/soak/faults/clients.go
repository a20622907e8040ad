package faults

import (
	"encoding/json"
	"errors"

	"github.com/wxtoken/wxtoken/internal/soak/record"
	"github.com/wxtoken/wxtoken/internal/soak/stage"
	"github.com/wxtoken/wxtoken/internal/wire"
)

var clientFaults = []fault{
	{3, (*lane).killService},
	{3, (*lane).pauseService},
	{4, (*lane).cutClient},
	{2, (*lane).slowClient},
	{2, (*lane).deafClient},
	{2, (*lane).killAgent},
	{2, (*lane).pauseAgent},
	{4, (*lane).reportGoodToken},
	{3, (*lane).reportOldToken},
}

// onNATS is a service or the agent.
func (l *lane) onNATS() *stage.Part { return oneOf(l, append([]*stage.Part{l.Agent}, l.Services...)) }

func (l *lane) killService() error {
	p := oneOf(l, l.Services)
	defer l.Book.Trouble(record.Killed, "one service killed", p.Name)()
	p.Kill()
	l.wait(aWhile)
	return p.Start()
}

// killAgent bars its client's way until the agent is ready again, which it isn't while NATS is away.
func (l *lane) killAgent() error {
	defer l.Book.Trouble(record.Killed, "the agent killed", l.Agent.Name)()
	l.Agent.Kill()
	l.wait(aWhile)
	return errors.Join(l.Agent.Start(), l.Agent.Ready(l.mend))
}

func (l *lane) pauseService() error {
	return l.pausePart(oneOf(l, l.Services), "one service stopped")
}
func (l *lane) pauseAgent() error { return l.pausePart(l.Agent, "the agent stopped") }

func (l *lane) pausePart(p *stage.Part, what string) error {
	p.Pause()
	l.during(aWhile, record.Stopped, what, p.Name)
	p.Resume()
	return nil
}

func (l *lane) cutClient() error {
	p := l.onNATS()
	p.NATS.Cut()
	l.during(aWhile, record.Cut, kindOf(p)+" cut off from NATS", p.Name)
	return p.NATS.Heal()
}

func (l *lane) slowClient() error {
	p := l.onNATS()
	return l.turn(p, stage.Slow, record.Slowed, kindOf(p)+"'s link to NATS slowed")
}

func (l *lane) deafClient() error {
	p := l.onNATS()
	return l.turn(p, stage.Dead, record.Cut, kindOf(p)+"'s link to NATS half-open")
}

func kindOf(p *stage.Part) string {
	if p.Name == stage.AgentName {
		return "the agent"
	}
	return "one service"
}

// reportsAtOnce is how many reports of one token are sent side by side.
const reportsAtOnce = 30

// reportGoodToken is what a service does that misreads its answers: it must mint nothing.
func (l *lane) reportGoodToken() error {
	v, found := l.Book.Newest(oneOf(l, l.Accounts).AppID)
	if !found {
		return nil
	}
	return l.report(v.AppID, v.ID)
}

// reportOldToken is what a service does that was late: it must mint nothing either.
func (l *lane) reportOldToken() error {
	return l.report(oneOf(l, l.Accounts).AppID, wire.TokenID("a token of long ago"))
}

func (l *lane) report(appid, id string) error {
	request, err := json.Marshal(wire.Request{ID: id, ErrCode: 40001, Client: "soak"})
	if err != nil {
		return err
	}
	end := l.Book.Trouble(record.Failing, "30 wrong reports at once", "reports")
	defer end()
	var errs []error
	for range reportsAtOnce {
		errs = append(errs, l.Cluster.Report(appid, request))
	}
	l.Book.Reported(reportsAtOnce)
	return errors.Join(errs...)
}
