package statuspage

import (
	"context"
	"sync"
	"time"

	"github.com/wxtoken/wxtoken/publisher"
)

// How old may be what viewers share.
const (
	statusLife = 500 * time.Millisecond
	aroundLife = 5 * time.Second
	// aroundStale is when to wait for news rather than to show what is known.
	aroundStale = 15 * time.Second
)

// statuses are taken from the publisher when the last one is too old. Their accounts are ranked.
type statuses struct {
	src Source

	mu    sync.Mutex
	last  publisher.Status
	taken time.Time
}

func (s *statuses) get() publisher.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken.IsZero() || time.Since(s.taken) >= statusLife {
		s.last, s.taken = s.src.Status(), time.Now()
		s.last.Accounts = ranked(s.last.Accounts)
	}
	return s.last
}

// surroundings are asked for in the background, as that takes a moment.
type surroundings struct {
	src    Source
	making sync.WaitGroup

	mu     sync.Mutex
	last   publisher.Surroundings
	asked  time.Time     // when the last answer was
	news   chan struct{} // closed when there is another; nil = nobody asks
	closed bool
}

// get waits only where nothing useful is known.
func (s *surroundings) get(ctx context.Context) publisher.Surroundings {
	s.mu.Lock()
	age := time.Since(s.asked)
	if s.news == nil && age >= aroundLife && !s.closed {
		s.news = make(chan struct{})
		s.making.Go(s.ask)
	}
	news, last := s.news, s.last
	s.mu.Unlock()
	if news == nil || age < aroundStale {
		return last
	}
	select {
	case <-news:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// ask takes as long as Surroundings does, which bounds itself.
func (s *surroundings) ask() {
	last := s.src.Surroundings(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.asked = last, time.Now()
	close(s.news)
	s.news = nil
}

// close lets nobody ask any more, and waits for who does.
func (s *surroundings) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.making.Wait()
}
