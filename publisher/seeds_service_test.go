package publisher_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/subscriber"
)

// reader is a service that uses an account: it asks for its token all the time, and refreshes it when WeChat refuses it.
type reader struct {
	r       *seedRun
	a       *seedAccount
	quit    context.CancelFunc
	running sync.WaitGroup
	opened  atomic.Pointer[subscriber.Source]
	lies    atomic.Bool // it sometimes says that a good token was refused
}

func (r *seedRun) read(a *seedAccount) *reader {
	s := &reader{r: r, a: a}
	var ctx context.Context
	ctx, s.quit = context.WithCancel(context.Background())
	s.lies.Store(true)
	s.running.Go(func() { s.run(ctx) })
	return s
}

func (s *reader) stop() {
	s.quit()
	s.running.Wait()
}

func (s *reader) run(ctx context.Context) {
	options := append(subscriber.NATSOptions(), s.r.service.Options()...)
	nc, err := nats.Connect("", append(options, nats.RetryOnFailedConnect(true))...)
	if err != nil {
		s.r.t.Error(err)
		return
	}
	defer nc.Close()
	src, err := subscriber.Open(ctx, nc, s.a.appid)
	if err != nil {
		return // the run is over
	}
	defer src.Close()
	s.opened.Store(src)
	s.running.Go(func() { s.follow(ctx, src) })
	var last uint64
	for sleepFor(ctx, time.Second+rand.N(700*time.Millisecond)) {
		last = s.use(ctx, src, last)
	}
}

// use is one call of WeChat by the service.
func (s *reader) use(ctx context.Context, src *subscriber.Source, last uint64) uint64 {
	tok, err := src.Token()
	if tok.Generation < last {
		s.r.violated("I6", "the service was given generation %d of %s after %d", tok.Generation, s.a.appid, last)
	}
	lie := s.lies.Load() && rand.IntN(40) == 0
	if err != nil || s.r.sim.CheckToken(tok.AccessToken()) == 0 && !lie {
		return tok.Generation
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	newer, err := src.Refresh(ctx, tok)
	if err == nil && newer.Generation < tok.Generation {
		s.r.violated("I6", "Refresh of generation %d of %s gave %d", tok.Generation, s.a.appid, newer.Generation)
	}
	return tok.Generation
}

// follow checks that updates go up.
func (s *reader) follow(ctx context.Context, src *subscriber.Source) {
	var last uint64
	for tok := range src.Updates(ctx) {
		if tok.Generation <= last {
			s.r.violated("I6", "an update of %s has generation %d after %d", s.a.appid, tok.Generation, last)
		}
		last = tok.Generation
	}
}

// token is what the service would use now, if anything.
func (s *reader) token() (tok subscriber.Token, ok bool) {
	src := s.opened.Load()
	if src == nil {
		return tok, false
	}
	tok, err := src.Token()
	return tok, err == nil
}

// report tells of a refused token as a program without the subscriber package would, and checks what it is told.
func (r *seedRun) report(a *seedAccount, id string) {
	data := fmt.Sprintf(`{"id":%q,"errcode":40001,"client":"raw"}`, id)
	msg, err := r.nc.Request(names.AccountRefreshSubject(a.appid), []byte(data), 10*time.Second)
	if err != nil || msg.Header.Get("Nats-Service-Error-Code") != "" {
		return
	}
	var reply wire.Reply
	if err := json.Unmarshal(msg.Data, &reply); err != nil {
		r.violated("reply", "%v", err)
	}
	if (reply.ID == id) != (reply.Outcome == wire.StillValid) {
		r.violated("I5", "a report of %s was answered %s with %s", id, reply.Outcome, reply.ID)
	}
}

func sleepFor(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
