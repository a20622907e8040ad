package wxsim

import (
	"sync"
	"time"
)

// Mint is one line of the ledger: a token that came into being, whether or not its answer arrived.
type Mint struct {
	Seq        uint64    `json:"seq"` // 1 for the first mint of the simulator
	AppID      string    `json:"appid"`
	Channel    Channel   `json:"channel"`
	Mode       Mode      `json:"mode"`
	By         By        `json:"by"`
	ID         string    `json:"id"` // wire.TokenID of the token
	PreviousID string    `json:"previous_id,omitempty"`
	At         time.Time `json:"at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// ledger remembers mints. Once full, it is a ring.
type ledger struct {
	mu    sync.Mutex
	limit int
	seq   uint64
	mints []Mint
}

func (l *ledger) add(m Mint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	m.Seq = l.seq
	if len(l.mints) < l.limit {
		l.mints = append(l.mints, m)
		return
	}
	l.mints[int((m.Seq-1)%uint64(l.limit))] = m
}

// after copies the mints with a greater Seq, the oldest first.
func (l *ledger) after(appid string, seq uint64) []Mint {
	l.mu.Lock()
	defer l.mu.Unlock()
	if oldest := l.seq - uint64(len(l.mints)); seq < oldest {
		seq = oldest
	}
	var found []Mint
	for ; seq < l.seq; seq++ {
		if m := l.mints[int(seq%uint64(l.limit))]; appid == All || m.AppID == appid {
			found = append(found, m)
		}
	}
	return found
}

// Ledger returns every mint of the account, or of All, the oldest first, as far back as Options.LedgerLimit goes.
func (s *Server) Ledger(appid string) []Mint { return s.ledger.after(appid, 0) }

// LedgerAfter is Ledger without the mints up to seq: the way to follow it.
func (s *Server) LedgerAfter(appid string, seq uint64) []Mint { return s.ledger.after(appid, seq) }
