package wxsim

import (
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// Stats count what happened, for one account or for all. Calls of /_sim/ are not among it.
type Stats struct {
	Mints     MintStats      `json:"mints"`
	SameToken int64          `json:"same_token"` // asks that stable_token answered with the current token
	Accepted  int64          `json:"accepted"`   // calls of any endpoint that succeeded, even if the answer was lost
	Refused   map[int]int64  `json:"refused"`    // by errcode, those of faults included
	Checks    int64          `json:"checks"`     // calls of get_api_domain_ip and getcallbackip, refused ones included
	Tickets   int64          `json:"tickets"`    // tickets made
	Faults    map[Kind]int64 `json:"faults"`     // that struck, by kind
}

// MintStats count tokens made. A client's count by mode; a stranger's count as foreign, whatever the mode.
type MintStats struct {
	Token   int64 `json:"token"`
	Normal  int64 `json:"stable_normal"`
	Force   int64 `json:"stable_force"`
	Foreign int64 `json:"foreign"`
}

// Total is the number of tokens made.
func (m MintStats) Total() int64 { return m.Token + m.Normal + m.Force + m.Foreign }

func (s *Stats) countMint(m Mint) {
	switch {
	case m.By == ByStranger:
		s.Mints.Foreign++
	case m.Mode == ModeToken:
		s.Mints.Token++
	case m.Mode == ModeForce:
		s.Mints.Force++
	default:
		s.Mints.Normal++
	}
}

func (s *Stats) countRefused(code int) {
	if s.Refused == nil {
		s.Refused = make(map[int]int64)
	}
	s.Refused[code]++
}

func (s *Stats) countFault(k Kind) {
	if s.Faults == nil {
		s.Faults = make(map[Kind]int64)
	}
	s.Faults[k]++
}

func (s *Stats) add(o Stats) {
	s.Mints.Token += o.Mints.Token
	s.Mints.Normal += o.Mints.Normal
	s.Mints.Force += o.Mints.Force
	s.Mints.Foreign += o.Mints.Foreign
	s.SameToken += o.SameToken
	s.Accepted += o.Accepted
	s.Checks += o.Checks
	s.Tickets += o.Tickets
	for code, n := range o.Refused {
		s.Refused[code] += n
	}
	for kind, n := range o.Faults {
		s.Faults[kind] += n
	}
}

// Stats returns the counters of an account, or the sum of All, calls that named no known account included.
func (s *Server) Stats(appid string) (Stats, error) {
	sum := Stats{Refused: make(map[int]int64), Faults: make(map[Kind]int64)}
	add := func(a *account) { sum.add(a.stats) }
	if appid == All {
		s.nobody.mu.Lock()
		add(s.nobody)
		s.nobody.mu.Unlock()
	}
	err := s.each(appid, add)
	return sum, err
}

// TokenInfo tells about the current token of a channel. Printing it shows no token.
type TokenInfo struct {
	Token      secret.String // empty while there is none
	ID         string
	PreviousID string
	MintedAt   time.Time
	ExpiresAt  time.Time
	Code       int // what a business call with the token is told: 0 while it is good
}

// Token tells about the current token of a channel. There is none before the first mint and after Revoke.
func (s *Server) Token(appid string, ch Channel) (TokenInfo, error) {
	if err := checkChoice("channel", ch, channels...); err != nil {
		return TokenInfo{}, err
	}
	a, err := s.known(appid)
	if err != nil {
		return TokenInfo{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var info TokenInfo
	c := a.channel(ch)
	if t := c.current; t != nil {
		info = TokenInfo{Token: t.text, ID: t.id, MintedAt: t.minted, ExpiresAt: t.expires(), Code: t.check(time.Now(), a.settings.knobs)}
	}
	if c.previous != nil {
		info.PreviousID = c.previous.id
	}
	return info, nil
}

// CheckToken gives the errcode that a business call with the token would be refused with, or 0. It counts nothing and
// no fault strikes it.
func (s *Server) CheckToken(text string) int {
	if text == "" {
		return CodeTokenMissing
	}
	found, ok := s.tokens.Load(text)
	if !ok {
		return CodeInvalidCredential
	}
	t := found.(*token)
	t.account.mu.Lock()
	defer t.account.mu.Unlock()
	return t.check(time.Now(), t.account.settings.knobs)
}
