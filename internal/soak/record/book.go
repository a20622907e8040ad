package record

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Rules are what the publishers were told, as far as the book has to know it.
type Rules struct {
	Ahead   time.Duration     // WX_REFRESH_AHEAD
	Through map[string]string // the agents of clients that call through one
}

// Book is what happened.
type Book struct {
	rules Rules

	mu       sync.Mutex
	troubles []*Trouble
	values   []Value
	known    map[string]bool // ids among values
	mints    []Mint
	requests []MintRequest
	revoked  map[string]time.Time // by token id
	attempts map[string][]Attempt // that failed, by call
	fails    []Fail
	holds    []Hold
	lives    map[string][]Life
	calls    map[string]int64 // of lives that are over
	now      map[string]int64 // of the life that goes on
	unwell   []string         // what wasn't right in the end
	leaks    []string
	reports  int
}

// New is an empty book.
func New(rules Rules) *Book {
	return &Book{
		rules: rules, known: make(map[string]bool), revoked: make(map[string]time.Time), attempts: make(map[string][]Attempt),
		lives: make(map[string][]Life), calls: make(map[string]int64), now: make(map[string]int64),
	}
}

// Value is a token that the store has.
type Value struct {
	AppID, ID, Publisher, Reason string
	Generation, Fence, Revision  uint64
	Minted, Expires              time.Time
	Stored                       time.Time // as the server says, which may have been without a quorum then
	Seen                         time.Time // when the soak first saw it; set by Book
}

// Mint is a line of WeChat's log: a token that came into being, whether or not anybody heard of it.
type Mint struct {
	AppID, Channel, Mode, By, ID string
	At, Expires                  time.Time
	Life                         int // of the simulator: its tokens die with it
}

// ByStranger is Mint.By of a mint that wasn't ours.
const ByStranger = "stranger"

// MintRequest is a publisher's request for a token, as it passed on its way.
type MintRequest struct {
	Publisher, AppID string
	ID               string // of the token that the answer brought to the publisher; empty if none arrived
	Code             int    // WeChat's errcode, if that was the answer
	Begin, End       time.Time
}

// Attempt is a request to WeChat that didn't succeed. A call may make several.
type Attempt struct {
	Code       int    // WeChat's errcode; 0: there was none
	What       string // what happened in words
	Refused    bool   // the token was
	Unanswered bool
	TokenID    string
	Begin, End time.Time
}

// Fail is a call that failed, as its client tells it.
type Fail struct {
	Client, Call, AppID, What string
	Begin, End                time.Time
}

// Hold is the moment from which a client uses a token.
type Hold struct {
	Client, AppID, ID string
	At                time.Time
}

// Life is the time in which a client's process ran. End is zero while it does.
type Life struct{ Begin, End time.Time }

// Stored notes a value of the store. A value that is known is ignored.
func (b *Book) Stored(v Value) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.known[v.ID] {
		b.known[v.ID] = true
		v.Seen = time.Now()
		b.values = append(b.values, v)
	}
}

// Minted notes a line of WeChat's log.
func (b *Book) Minted(m Mint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mints = append(b.mints, m)
}

// Requested notes a request for a token that is over.
func (b *Book) Requested(r MintRequest) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests = append(b.requests, r)
}

// Revoked notes that WeChat ended a token.
func (b *Book) Revoked(id string, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.revoked[id] = at
}

// Attempted notes a request of a call that WeChat did not serve.
func (b *Book) Attempted(call string, a Attempt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.attempts[call] = append(b.attempts[call], a)
}

// Failed notes a call that failed.
func (b *Book) Failed(f Fail) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails = append(b.fails, f)
}

// Held notes what a client uses.
func (b *Book) Held(h Hold) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holds = append(b.holds, h)
}

// Started notes that a client's process runs.
func (b *Book) Started(client string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lives[client] = append(b.lives[client], Life{Begin: time.Now()})
}

// Ended notes that it has ended.
func (b *Book) Ended(client string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lives := b.lives[client]
	lives[len(lives)-1].End = time.Now()
	b.calls[client] += b.now[client]
	b.now[client] = 0
}

// Called notes how many calls a client's process has ended by now.
func (b *Book) Called(client string, calls int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now[client] = calls
}

// Reported counts reports that the soak itself sent.
func (b *Book) Reported(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reports += n
}

// Unwell notes what isn't right after all faults have ended.
func (b *Book) Unwell(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unwell = append(b.unwell, what)
}

// Leaked notes a secret or a token where none may be.
func (b *Book) Leaked(where string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leaks = append(b.leaks, where)
}

// Calls are those of all clients, by client.
func (b *Book) Calls() map[string]int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := make(map[string]int64)
	for client := range b.lives {
		sum[client] = b.calls[client] + b.now[client]
	}
	return sum
}

// Newest is the newest value of an account.
func (b *Book) Newest(appid string) (Value, bool) {
	values := b.snapshot().values(appid)
	if len(values) == 0 {
		return Value{}, false
	}
	return values[len(values)-1], true
}

// Rotations is how many tokens came after the first of their account.
func (b *Book) Rotations() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	accounts := make(map[string]bool)
	for _, v := range b.values {
		accounts[v.AppID] = true
	}
	return len(b.values) - len(accounts)
}

// snapshot is a book that stands still.
func (b *Book) snapshot() *facts {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := &facts{
		rules: b.rules, stored: slices.Clone(b.values), mints: slices.Clone(b.mints), requests: slices.Clone(b.requests),
		fails: slices.Clone(b.fails), holds: slices.Clone(b.holds), attempts: make(map[string][]Attempt), lives: make(map[string][]Life),
		unwell: slices.Clone(b.unwell), leaks: slices.Clone(b.leaks), reports: b.reports, revoked: make(map[string]time.Time),
	}
	for _, t := range b.troubles {
		f.troubles = append(f.troubles, *t)
	}
	for call, list := range b.attempts {
		f.attempts[call] = slices.Clone(list)
	}
	for client, list := range b.lives {
		f.lives[client] = slices.Clone(list)
	}
	maps.Copy(f.revoked, b.revoked)
	f.sort()
	return f
}
