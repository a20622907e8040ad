package wxsim

import (
	"fmt"
	"testing"
	"time"
)

func (w *world) ticket(token, kind string) said {
	return do(w.client, "GET", "/cgi-bin/ticket/getticket?access_token="+token+"&type="+kind, "")
}

func (w *world) valid(text string) bool {
	w.t.Helper()
	ok, err := w.TicketValid(appid, TicketJSAPI, text)
	w.must(err)
	return ok
}

func TestTicketWindow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.ticket(w.stable().Token, "jsapi")
		if want := fmt.Sprintf(`{"errcode":0,"errmsg":"ok","ticket":%q,"expires_in":7200}`, a.Ticket); a.Body != want || len(a.Ticket) != 86 {
			t.Errorf("getticket: %s", a.Body)
		}
		if card := w.ticket(w.stable().Token, "wx_card"); card.Ticket == a.Ticket || card.Ticket == "" {
			t.Error("wx_card has no ticket of its own")
		}
		time.Sleep(7200*time.Second - 1)
		if b := w.ticket(w.stable().Token, "jsapi"); b.Ticket != a.Ticket || b.Expires != 7200 {
			t.Errorf("within the window: %s, want the same and 7200", b.Body)
		}
		time.Sleep(time.Nanosecond)
		b := w.ticket(w.stable().Token, "jsapi")
		if b.Ticket == a.Ticket || !w.valid(a.Ticket) || !w.valid(b.Ticket) {
			t.Error("after the window: want a new ticket and both valid")
		}
		if got := w.stats(appid).Tickets; got != 3 {
			t.Errorf("%d tickets made, want 3", got)
		}
		time.Sleep(time.Hour)
		if w.valid(a.Ticket) || !w.valid(b.Ticket) {
			t.Error("after 3 hours: want the old one invalid, the new one valid")
		}
	})
}

func TestTicketRemaining(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.stable()
		w.ticket(a.Token, "jsapi")
		time.Sleep(1500 * time.Millisecond)
		if got := w.ticket(a.Token, "jsapi"); got.Expires != 4 {
			t.Errorf("remaining %d, want 4", got.Expires)
		}
	}, withLife(6*time.Second), withKnobs(Knobs{TicketRemaining: true}))
}

func TestTicketRefusals(t *testing.T) {
	w := newWorld(t, withKnobs(Knobs{TicketPerDay: 1}))
	a := w.stable()
	code(t, "no token", w.ticket("", "jsapi"), 41001)
	code(t, "unknown token", w.ticket("x", "jsapi"), 40001)
	code(t, "no type", w.ticket(a.Token, ""), 40097)
	code(t, "first", w.ticket(a.Token, "jsapi"), 0)
	code(t, "second", w.ticket(a.Token, "jsapi"), 45009)
	for _, err := range []error{
		second(w.Ticket("wxnobody", TicketJSAPI)), second(w.Ticket(appid, "x")),
		second(w.TicketValid("wxnobody", TicketJSAPI, "")), second(w.TicketValid(appid, "x", "")),
	} {
		if err == nil {
			t.Error("nonsense was taken")
		}
	}
}

func second[T any](_ T, err error) error { return err }
