package faults

import (
	"errors"
	"time"

	"github.com/wxtoken/wxtoken/internal/soak/record"
	"github.com/wxtoken/wxtoken/internal/soak/stage"
)

var publisherFaults = []fault{
	{6, (*lane).killPublisher},
	{2, (*lane).restartPublisher},
	{5, (*lane).pausePublisher},
	{3, (*lane).cutPublisher},
	{2, (*lane).slowPublisher},
	{2, (*lane).deafPublisher},
	{3, (*lane).publisherWithoutWeChat},
	{2, (*lane).killAllPublishers},
}

// beyondLeases is longer than a lease, sometimes: what was begun under it must do no harm afterwards.
var beyondLeases = span{500 * time.Millisecond, 8 * time.Second}

func (l *lane) killPublisher() error {
	p := oneOf(l, l.Publishers)
	end := l.Book.Trouble(record.Killed, "one publisher killed", p.Name)
	p.Kill()
	l.wait(aWhile)
	err := p.Start()
	end()
	return errors.Join(err, p.Ready(l.mend))
}

func (l *lane) restartPublisher() error {
	p := oneOf(l, l.Publishers)
	end := l.Book.Trouble(record.Stopped, "one publisher restarted in order", p.Name)
	err := errors.Join(p.Stop(), p.Start())
	end()
	return errors.Join(err, p.Ready(l.mend))
}

func (l *lane) pausePublisher() error {
	p := oneOf(l, l.Publishers)
	p.Pause()
	l.during(beyondLeases, record.Stopped, "one publisher stopped", p.Name)
	p.Resume()
	return nil
}

func (l *lane) cutPublisher() error {
	p := oneOf(l, l.Publishers)
	p.NATS.Cut()
	l.during(aWhile, record.Cut, "one publisher cut off from NATS", p.Name)
	return p.NATS.Heal()
}

func (l *lane) slowPublisher() error {
	return l.turn(oneOf(l, l.Publishers), stage.Slow, record.Slowed, "one publisher's link to NATS slowed")
}

func (l *lane) deafPublisher() error {
	return l.turn(oneOf(l, l.Publishers), stage.Dead, record.Cut, "one publisher's link to NATS half-open")
}

func (l *lane) turn(p *stage.Part, to stage.Condition, kind record.Kind, what string) error {
	p.NATS.Turn(to)
	l.during(aWhile, kind, what, p.Name)
	return p.NATS.Heal()
}

func (l *lane) publisherWithoutWeChat() error {
	p := oneOf(l, l.Publishers)
	p.WeChat.Shut()
	l.during(aWhile, record.Cut, "one publisher cut off from WeChat", p.Name)
	p.WeChat.Open()
	return nil
}

func (l *lane) killAllPublishers() error {
	end := l.Book.Trouble(record.Killed, "all publishers killed", record.OnPublishers)
	for _, p := range l.Publishers {
		p.Kill()
	}
	l.wait(anOutage)
	var errs []error
	for _, p := range l.Publishers {
		errs = append(errs, p.Start())
	}
	end()
	for _, p := range l.Publishers {
		errs = append(errs, p.Ready(l.mend))
	}
	return errors.Join(errs...)
}
