package faults

import (
	"fmt"
	"sync"
	"time"

	"github.com/wxtoken/wxtoken/internal/soak/record"
	"github.com/wxtoken/wxtoken/internal/soak/stage"
)

// tokenFaults are WeChat's. Tokens that die early cost new ones, of which publishers mint ten in a row on request and then
// one every five minutes: the deaths are held back so far that this budget is not what is tested.
type tokenFaults struct {
	mu    sync.Mutex
	spent map[string]float64 // early deaths, by account
	last  time.Time
}

const (
	deathsInARow = 6
	deathsApart  = 6 * time.Minute // in the long run, of one account
)

var mintFaults = []fault{
	{4, (*lane).mintFault},
	{1, (*lane).checkFault},
}

func newTokenFaults() []fault {
	t := &tokenFaults{spent: make(map[string]float64)}
	return []fault{
		{3, (*lane).callFault},
		{3, (*lane).flap},
		{4, func(l *lane) error { return l.revoke(t) }},
		{2, func(l *lane) error { return l.stranger(t) }},
		{2, (*lane).pauseWeChat},
		{1, func(l *lane) error { return l.killWeChat(t) }},
	}
}

// afford tells whether the account's token may die once more, and counts it.
func (t *tokenFaults) afford(accounts ...stage.Account) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	gone := time.Since(t.last).Seconds() / deathsApart.Seconds()
	t.last = time.Now()
	for appid := range t.spent {
		t.spent[appid] = max(0, t.spent[appid]-gone)
	}
	for _, a := range accounts {
		if t.spent[a.AppID]+1 > deathsInARow {
			return false
		}
	}
	for _, a := range accounts {
		t.spent[a.AppID]++
	}
	return true
}

// What the simulator's faults are called.
var (
	mintKinds = []string{"busy", "hang", "drop", "bad_gateway", "portal", "garbage", "empty"}
	callKinds = []string{"busy", "drop", "bad_gateway", "garbage"}
)

// mintFault makes mints fail, before or after they have taken effect, or slow.
func (l *lane) mintFault() error {
	fault := fmt.Sprintf(`{"group":"mint","kind":%q,"after":%v,"count":%d,"for":"10s"}`, oneOf(l, mintKinds), l.chance(50), 1+l.rng.IntN(3))
	switch l.rng.IntN(6) {
	case 0:
		fault = fmt.Sprintf(`{"group":"mint","kind":"delay","delay":"%dms","count":2,"for":"10s"}`, 500+l.rng.IntN(2000))
	case 1:
		fault = `{"group":"mint","kind":"slow_body","delay":"5ms","count":2,"for":"10s"}`
	}
	return l.fails(fault, 10*time.Second, record.Failing, "one to three mints fail, or their answers are lost", record.OnMints)
}

func (l *lane) checkFault() error {
	fault := fmt.Sprintf(`{"group":"check","kind":%q,"count":2,"for":"5s"}`, oneOf(l, mintKinds))
	return l.fails(fault, 5*time.Second, record.Failing, "WeChat's checks fail", record.OnMints)
}

// callFault makes WeChat fail what clients ask for.
func (l *lane) callFault() error {
	fault := fmt.Sprintf(`{"group":"business","kind":%q,"probability":0.3,"for":"1s"}`, oneOf(l, callKinds))
	return l.fails(fault, time.Second, record.Failing, "WeChat fails calls", record.OnCalls)
}

// flap makes WeChat refuse good tokens now and then.
func (l *lane) flap() error {
	return l.fails(`{"group":"business","kind":"flap","probability":0.1,"for":"2s"}`, 2*time.Second, record.Lying, "WeChat refuses good tokens", "flap")
}

// fails adds a fault that ends by itself.
func (l *lane) fails(fault string, lasts time.Duration, kind record.Kind, what string, on ...string) error {
	end := l.Book.Trouble(kind, what, on...)
	defer end()
	if err := l.WeChat.Fault(l.mend, fault); err != nil {
		return err
	}
	time.Sleep(lasts) // what has begun can't be called back
	return nil
}

func (l *lane) revoke(t *tokenFaults) error {
	a := oneOf(l, l.Accounts)
	if !t.afford(a) {
		return nil
	}
	l.Book.Trouble(record.Failing, "a token revoked", "tokens")()
	return l.WeChat.Revoke(l.mend, a)
}

// stranger lets somebody else mint: once, and our token has its grace; twice, and it is dead.
func (l *lane) stranger(t *tokenFaults) error {
	a := oneOf(l, l.Accounts)
	if !t.afford(a) {
		return nil
	}
	l.Book.Trouble(record.Failing, "a stranger minted", "tokens")()
	for range 1 + l.rng.IntN(2) {
		if err := l.WeChat.Stranger(l.mend, a); err != nil {
			return err
		}
	}
	return nil
}

func (l *lane) pauseWeChat() error {
	l.WeChat.Pause()
	l.during(span{500 * time.Millisecond, 3 * time.Second}, record.Failing, "WeChat stopped", record.OnMints, record.OnCalls)
	l.WeChat.Resume()
	return nil
}

// killWeChat ends the simulator, and with it every token that it gave out.
func (l *lane) killWeChat(t *tokenFaults) error {
	if !t.afford(l.Accounts...) {
		return nil
	}
	end := l.Book.Trouble(record.Forgot, "WeChat killed, all tokens dead", record.OnMints, record.OnCalls)
	defer end()
	for _, gate := range l.Gates() {
		gate.Shut()
	}
	l.WeChat.Kill()
	l.wait(span{500 * time.Millisecond, 2 * time.Second})
	if err := l.WeChat.Begin(l.mend); err != nil {
		return err
	}
	for _, gate := range l.Gates() {
		gate.Open()
	}
	return nil
}
