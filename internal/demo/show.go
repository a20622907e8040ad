package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// show prints one line for each thing that happens.
type show struct {
	mu  sync.Mutex
	out io.Writer
}

func (s *show) line(who, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "%s  %-9s  %s\n", time.Now().Format("15:04:05.000"), who, fmt.Sprintf(format, args...))
}

// events tells what publishers say on the event subjects.
func (s *show) events(nc *nats.Conn, names wire.Names, ahead time.Duration) error {
	_, err := nc.Subscribe(names.EventSubject("*", "*"), func(msg *nats.Msg) {
		var e wire.Event
		if json.Unmarshal(msg.Data, &e) == nil {
			s.event(e, ahead)
		}
	})
	if err != nil {
		return fmt.Errorf("subscribe to events: %w", err)
	}
	return nil
}

func (s *show) event(e wire.Event, ahead time.Duration) {
	switch e.What {
	case wire.EventMinted:
		end := e.ExpiresAt.Local()
		next := end.Add(-min(ahead, end.Sub(e.At)/2))
		s.line("publisher", "minted token %s (%s) and stored it as revision %d; it ends %s, the next is asked for from %s on",
			e.ID, e.Reason, e.Revision, clock(end), clock(next))
	case wire.EventMintFailed:
		s.line("publisher", "mint failed, next try %s: %s", clock(e.RetryAt.Local()), e.Detail)
	case wire.EventReport:
		s.line("publisher", "%s of token %s: %s", plural(e.Reports, "report"), e.ID, outcomes[e.Outcome])
	case wire.EventForeignMinter:
		s.line("publisher", "asked WeChat: token %s really is dead, long before its end", e.ID)
	default:
		s.line("publisher", "%s: %s", strings.ReplaceAll(e.What, "_", " "), e.Detail)
	}
}

var outcomes = map[wire.Outcome]string{
	wire.AlreadyReplaced: "it was replaced already, nothing to do",
	wire.Replaced:        "it was replaced by a new one",
	wire.StillValid:      "WeChat still accepts it, nothing to do",
}

func clock(t time.Time) string { return t.Format("15:04:05") }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
