package wxsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Kind is what a fault does to a call.
type Kind string

// The kinds of faults. The first eight replace the answer: with Fault.After, the call takes effect first.
const (
	Busy         Kind = "busy"          // errcode -1
	ErrCode      Kind = "errcode"       // any errcode, Fault.Code
	Hang         Kind = "hang"          // no answer until the caller gives up, or a minute has passed
	Drop         Kind = "drop"          // the connection is cut
	BadGateway   Kind = "bad_gateway"   // status 502 with a page of HTML
	Portal       Kind = "portal"        // status 200 with a captive portal's HTML
	Garbage      Kind = "garbage"       // status 200 with JSON that is cut off
	Empty        Kind = "empty"         // status 200 with nothing
	Delay        Kind = "delay"         // the answer waits for Fault.Delay; the call takes effect before
	SlowBody     Kind = "slow_body"     // the answer comes byte by byte, Fault.Delay (20 ms) apart
	Flap         Kind = "flap"          // a good token is refused with 40001, or Fault.Code
	ShortExpires Kind = "short_expires" // new tokens live, and claim, Fault.ExpiresIn
	LieExpires   Kind = "lie_expires"   // the answer of a mint claims expires_in Fault.Claim: 0, -1, …
	NoToken      Kind = "no_token"      // the answer of a mint lacks its access_token
)

var (
	replacing = []Kind{Busy, ErrCode, Hang, Drop, BadGateway, Portal, Garbage, Empty}
	mintOnly  = []Kind{ShortExpires, LieExpires, NoToken}
	kinds     = slices.Concat(replacing, []Kind{Delay, SlowBody, Flap}, mintOnly)
)

// Group is a set of endpoints.
type Group string

// The groups of endpoints. The empty group is all of them.
const (
	GroupMint     Group = "mint"     // /cgi-bin/token, /cgi-bin/stable_token
	GroupCheck    Group = "check"    // /cgi-bin/get_api_domain_ip, /cgi-bin/getcallbackip
	GroupBusiness Group = "business" // all others
)

var groups = []Group{"", GroupMint, GroupCheck, GroupBusiness}

const (
	maxHang      = time.Minute
	slowBodyStep = 20 * time.Millisecond
)

// Fault strikes calls until it is removed, its Count is spent or its time is over. Of several that could replace an
// answer, the oldest does; faults of other kinds work beside it. Durations are real: they are not scaled by ExpiresIn.
type Fault struct {
	AppID string `json:"appid"` // "" and "*": any account, and calls that name none
	Group Group  `json:"group"` // "": any
	Path  string `json:"path"`  // what the path begins with; "": any
	Kind  Kind   `json:"kind"`

	Count       int     `json:"count"`       // how many calls it strikes; 0: no end
	Probability float64 `json:"probability"` // that it strikes a call; 0: always
	After       bool    `json:"after"`       // of kinds that replace the answer: the call took effect

	Code      int           `json:"code"`   // ErrCode, Flap
	ErrMsg    string        `json:"errmsg"` // ErrCode: instead of WeChat's text for the code
	Claim     int64         `json:"claim"`  // LieExpires
	Delay     time.Duration `json:"-"`      // Delay; SlowBody: from byte to byte
	ExpiresIn time.Duration `json:"-"`      // ShortExpires
	For       time.Duration `json:"-"`      // how long it stands; 0: no end
}

type plainFault Fault

// faultJSON is Fault with durations as people write them.
type faultJSON struct {
	*plainFault
	Delay     *duration `json:"delay"`
	ExpiresIn *duration `json:"expires_in"`
	For       *duration `json:"for"`
}

func (f *Fault) shadow() faultJSON {
	return faultJSON{(*plainFault)(f), (*duration)(&f.Delay), (*duration)(&f.ExpiresIn), (*duration)(&f.For)}
}

// FaultStatus is a fault that stands.
type FaultStatus struct {
	Fault
	ID    int `json:"id"`
	Fired int `json:"fired"` // calls that it struck
}

// MarshalJSON writes durations like "1m0s".
func (f FaultStatus) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID    int `json:"id"`
		Fired int `json:"fired"`
		faultJSON
	}{f.ID, f.Fired, f.shadow()})
}

func (f Fault) check() error {
	problems := []error{
		checkChoice("kind", f.Kind, kinds...),
		checkChoice("group", f.Group, groups...),
	}
	add := func(wrong bool, text string) {
		if wrong {
			problems = append(problems, errors.New(text))
		}
	}
	add(f.Path != "" && !strings.HasPrefix(f.Path, "/"), "field path: want the beginning of a path, like /cgi-bin/media/")
	add(f.Count < 0, "field count: want 1 or more, or 0 for no end")
	add(!(f.Probability >= 0 && f.Probability <= 1), "field probability: want 0 to 1, 0 meaning always")
	add(f.For < 0, "field for: want a positive duration, or 0 for no end")
	add(f.Delay < 0, "field delay: want a positive duration")
	add(f.Kind == Delay && f.Delay == 0, "field delay: kind delay needs it")
	add(f.Kind == ErrCode && f.Code == 0, "field code: kind errcode needs one, e.g. 45011")
	add(f.Kind == ShortExpires && f.ExpiresIn < time.Millisecond, "field expires_in: kind short_expires needs at least 1ms")
	add(f.After && !slices.Contains(replacing, f.Kind), fmt.Sprintf("field after: only for kinds %v", replacing))
	add(f.Group != "" && f.Group != GroupMint && slices.Contains(mintOnly, f.Kind), fmt.Sprintf("field group: kind %s strikes mint only", f.Kind))
	add(f.Group == GroupMint && f.Kind == Flap, "field group: kind flap strikes check and business only")
	return errors.Join(problems...)
}

// faultSet are the faults that stand. Most simulators have none, and then no call takes the lock.
type faultSet struct {
	some   atomic.Bool
	mu     sync.Mutex
	nextID int
	list   []*standing
	random *rand.Rand
}

type standing struct {
	FaultStatus
	until time.Time // zero: no end
}

// AddFault lets a fault strike from now on. The id is for RemoveFault.
func (s *Server) AddFault(f Fault) (id int, err error) {
	if f.AppID == "" {
		f.AppID = All
	}
	if err := f.check(); err != nil {
		return 0, err
	}
	if f.AppID != All {
		if _, err := s.known(f.AppID); err != nil {
			return 0, err
		}
	}
	return s.faults.add(f), nil
}

// RemoveFault ends one fault, and tells whether it still stood.
func (s *Server) RemoveFault(id int) bool {
	return s.faults.remove(func(f *standing) bool { return f.ID == id }) > 0
}

// ClearFaults ends the faults that were added for that appid; with All, every fault. It returns how many.
func (s *Server) ClearFaults(appid string) int {
	return s.faults.remove(func(f *standing) bool { return appid == All || f.AppID == appid })
}

// Faults lists what stands, the oldest first.
func (s *Server) Faults() []FaultStatus {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.sweep(time.Now())
	list := make([]FaultStatus, 0, len(s.faults.list))
	for _, f := range s.faults.list {
		list = append(list, f.FaultStatus)
	}
	return list
}

func (s *faultSet) add(f Fault) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextID++
	n := &standing{FaultStatus: FaultStatus{Fault: f, ID: s.nextID}}
	if f.For > 0 {
		n.until = time.Now().Add(f.For)
	}
	s.list = append(s.list, n)
	s.some.Store(true)
	return n.ID
}

func (s *faultSet) remove(which func(*standing) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.list)
	s.list = slices.DeleteFunc(s.list, which)
	s.some.Store(len(s.list) > 0)
	return before - len(s.list)
}

func (s *faultSet) sweep(now time.Time) {
	s.list = slices.DeleteFunc(s.list, func(f *standing) bool {
		return (!f.until.IsZero() && !now.Before(f.until)) || (f.Count > 0 && f.Fired >= f.Count)
	})
	s.some.Store(len(s.list) > 0)
}

// take finds the oldest fault that strikes, and counts it as fired.
func (s *faultSet) take(appid, path string, g Group, which func(Fault) bool) *Fault {
	if !s.some.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(time.Now())
	for _, f := range s.list {
		if f.covers(appid, path, g) && which(f.Fault) && (f.Probability == 0 || s.random.Float64() < f.Probability) {
			f.Fired++
			struck := f.Fault
			return &struck
		}
	}
	return nil
}

func (f Fault) covers(appid, path string, g Group) bool {
	return (f.AppID == All || f.AppID == appid) && (f.Group == "" || f.Group == g) && strings.HasPrefix(path, f.Path)
}
