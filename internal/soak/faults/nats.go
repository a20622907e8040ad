package faults

import (
	"errors"
	"time"

	"github.com/wxtoken/wxtoken/internal/soak/record"
	"github.com/wxtoken/wxtoken/internal/soak/stage"
)

var natsFaults = []fault{
	{5, func(l *lane) error { return l.killServer(l.server(), false) }},
	{3, func(l *lane) error { return l.killServer(l.server(), true) }},
	{2, (*lane).stopServerInOrder},
	{4, (*lane).pauseServer},
	{4, (*lane).isolateServer},
	{2, (*lane).killMost},
	{1, func(l *lane) error { return l.killAll(false) }},
	{1, func(l *lane) error { return l.killAll(true) }},
}

var (
	aWhile   = span{time.Second, 6 * time.Second}
	anOutage = span{time.Second, 4 * time.Second} // of everything, on top of which comes an election
)

// server is the leader of the tokens, half of the time.
func (l *lane) server() *stage.NATSServer {
	if l.chance(50) {
		return l.Cluster.Leader(l.mend)
	}
	return oneOf(l, l.Cluster.Servers)
}

// killServer kills a server that leads one of the buckets, more often than not: nothing is stored then until another is
// elected, which takes Raft 4 to 7 s.
func (l *lane) killServer(s *stage.NATSServer, loseStore bool) error {
	what, kind := "one NATS server killed", record.Killed
	if loseStore {
		what = "one NATS server killed, its store lost"
	}
	end := l.Book.Trouble(kind, what, s.Name, record.OnNATS)
	s.Kill()
	l.wait(aWhile)
	if loseStore {
		if err := s.LoseStore(); err != nil {
			return err
		}
	}
	err := s.Start()
	end()
	return l.afterwards(err)
}

func (l *lane) stopServerInOrder() error {
	s := l.server()
	end := l.Book.Trouble(record.Killed, "one NATS server restarted in order", s.Name)
	err := errors.Join(s.Stop(), s.Start())
	end()
	return l.afterwards(err)
}

// pauseServer stops a server. Its clients can't know for a while, nor does it lead any more, nor follow.
func (l *lane) pauseServer() error {
	s := l.server()
	s.Pause()
	l.during(aWhile, record.Stopped, "one NATS server stopped", s.Name, record.OnNATS)
	s.Resume()
	return l.afterwards(nil)
}

func (l *lane) isolateServer() error {
	s := l.server()
	s.Isolate()
	l.during(aWhile, record.Cut, "one NATS server cut off from the others", s.Name, record.OnNATS)
	return l.afterwards(s.Rejoin())
}

func (l *lane) killMost() error {
	spared := l.server()
	var killed []*stage.NATSServer
	end := l.Book.Trouble(record.Killed, "two of three NATS servers killed", record.OnNATS)
	for _, s := range l.Cluster.Servers {
		if s != spared {
			s.Kill()
			killed = append(killed, s)
		}
	}
	l.wait(anOutage)
	err := start(killed)
	end()
	return l.afterwards(err)
}

func (l *lane) killAll(loseStores bool) error {
	kind, what := record.Killed, "all NATS servers killed"
	if loseStores {
		kind, what = record.Lost, "all NATS servers killed, all stores lost"
	}
	end := l.Book.Trouble(kind, what, record.OnNATS)
	for _, s := range l.Cluster.Servers {
		s.Kill()
	}
	l.wait(anOutage)
	for _, s := range l.Cluster.Servers {
		if !loseStores {
			break
		}
		if err := s.LoseStore(); err != nil {
			return err
		}
	}
	err := start(l.Cluster.Servers)
	end()
	return l.afterwards(err)
}

func start(servers []*stage.NATSServer) error {
	var errs []error
	for _, s := range servers {
		errs = append(errs, s.Start())
	}
	return errors.Join(errs...)
}

// afterwards waits for the cluster to be whole again. That it isn't is for the report, not an error of the soak.
func (l *lane) afterwards(err error) error {
	if notWhole := l.Cluster.AwaitWhole(l.mend); notWhole != nil && err == nil {
		l.Book.Unwell(clock(time.Now()) + ": " + notWhole.Error())
	}
	return err
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
