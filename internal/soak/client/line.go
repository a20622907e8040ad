package client

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Line is what a client tells.
type Line struct {
	Tell  string    `json:"tell"` // TellHold, TellFail, TellCalls
	AppID string    `json:"appid,omitempty"`
	ID    string    `json:"id,omitempty"` // TellHold: of the token that is used from At on
	At    time.Time `json:"at"`

	Call  string    `json:"call,omitempty"` // TellFail: the call's value of CallHeader
	Begin time.Time `json:"begin"`
	What  string    `json:"what,omitempty"`

	Calls int64 `json:"calls,omitempty"` // TellCalls: how many have ended
}

// What a Line tells.
const (
	TellHold  = "hold"
	TellFail  = "fail"
	TellCalls = "calls"
)

// CallHeader names a call, so that what WeChat made of it can be found.
const CallHeader = "X-Soak-Call"

// IsStale tells whether WeChat's errcode is about the token.
func IsStale(code int) bool { return code == 42001 || code == 40001 || code == 40014 }

// teller writes lines. Any goroutine may use it.
type teller struct {
	mu  sync.Mutex
	out *json.Encoder
}

func newTeller(out io.Writer) *teller { return &teller{out: json.NewEncoder(out)} }

func (t *teller) tell(l Line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.out.Encode(l) // without a reader there is nobody to tell
}
