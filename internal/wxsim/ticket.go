package wxsim

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// TicketType is a kind of ticket that /cgi-bin/ticket/getticket gives.
type TicketType string

// The types of tickets.
const (
	TicketJSAPI  TicketType = "jsapi"
	TicketWXCard TicketType = "wx_card"
)

var ticketTypes = []TicketType{TicketJSAPI, TicketWXCard}

const ticketLength = 86

// ticket outlives both its window and its successor.
type ticket struct {
	text string
	made time.Time
}

// ticketBox holds an account's tickets of one type: the one that is given now, and those that may still be valid.
type ticketBox struct{ tickets []ticket }

func (b *ticketBox) current() (ticket, bool) {
	if len(b.tickets) == 0 {
		return ticket{}, false
	}
	return b.tickets[len(b.tickets)-1], true
}

// ticketNow gives the ticket of the window that runs, or of a new one, and what is left of it.
func (a *account) ticketNow(kind TicketType, now time.Time, seeded bool) (ticket, time.Duration) {
	b, window := &a.tickets[slices.Index(ticketTypes, kind)], a.settings.expiresIn
	if t, ok := b.current(); ok && now.Sub(t.made) < window {
		return t, window - now.Sub(t.made)
	}
	alive := func(t ticket) bool { return now.Sub(t.made) < a.settings.scale(ticketRealAge) }
	b.tickets = slices.DeleteFunc(b.tickets, func(t ticket) bool { return !alive(t) })
	random := base64.RawURLEncoding.EncodeToString(a.randomBytes(ticketLength, seeded))
	t := ticket{text: strings.ReplaceAll(random, "_", "-")[:ticketLength], made: now}
	b.tickets = append(b.tickets, t)
	a.stats.Tickets++
	return t, window
}

// serveTicket is GET /cgi-bin/ticket/getticket.
func serveTicket(c *call) reply {
	if code := c.checkToken(); code != 0 {
		return c.refuse(code)
	}
	kind := TicketType(c.query.Get("type"))
	if !slices.Contains(ticketTypes, kind) {
		return c.refuse(CodeInvalidArgs)
	}
	a := c.account
	a.mu.Lock()
	now := time.Now()
	code := a.quotas.ticket.take(now, a.settings, a.settings.knobs.ticketLimits())
	if code != 0 {
		a.mu.Unlock()
		return c.refuse(code)
	}
	t, left := a.ticketNow(kind, now, c.s.seed != 0)
	said := a.settings.expiresIn
	if a.settings.knobs.TicketRemaining {
		said = left
	}
	a.mu.Unlock()
	return c.json(struct {
		errorBody
		Ticket    string `json:"ticket"`
		ExpiresIn int64  `json:"expires_in"`
	}{errorBody{0, "ok"}, t.text, wholeSeconds(said)})
}

// TicketValid tells whether WeChat would still take a ticket of the account: for 3 hours (scaled), whatever was fetched
// since.
func (s *Server) TicketValid(appid string, kind TicketType, text string) (bool, error) {
	if err := checkChoice("type", kind, ticketTypes...); err != nil {
		return false, err
	}
	a, err := s.known(appid)
	if err != nil {
		return false, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.tickets[slices.Index(ticketTypes, kind)].tickets, func(t ticket) bool {
		return t.text == text && time.Since(t.made) < a.settings.scale(ticketRealAge)
	}), nil
}

// TicketInfo tells about the ticket that was given last.
type TicketInfo struct {
	ID     string // like a token's id; empty: there is none
	MadeAt time.Time
	Valid  bool
}

// Ticket tells about an account's ticket that was given last.
func (s *Server) Ticket(appid string, kind TicketType) (TicketInfo, error) {
	if err := checkChoice("type", kind, ticketTypes...); err != nil {
		return TicketInfo{}, err
	}
	a, err := s.known(appid)
	if err != nil {
		return TicketInfo{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.tickets[slices.Index(ticketTypes, kind)].current()
	if !ok {
		return TicketInfo{}, nil
	}
	return TicketInfo{wire.TokenID(t.text), t.made, time.Since(t.made) < a.settings.scale(ticketRealAge)}, nil
}
