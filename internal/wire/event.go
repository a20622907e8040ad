package wire

import "time"

// What happened to an account: the last part of an event's subject.
const (
	EventMinted        = "minted"
	EventMintFailed    = "mint_failed"
	EventReport        = "report"
	EventStaleWriter   = "stale_writer"   // a token was given up because a newer one is stored
	EventForeignMinter = "foreign_minter" // a token died early that no publisher replaced
	EventBudgetSpent   = "budget_spent"
	EventLeaseLost     = "lease_lost" // a lease ended before the work under it did
)

// EventKinds are all of them.
func EventKinds() []string {
	return []string{EventMinted, EventMintFailed, EventReport, EventStaleWriter, EventForeignMinter, EventBudgetSpent, EventLeaseLost}
}

// Event is the payload of a message on <prefix>.event.<appid>.<what>. It holds ids, never tokens.
type Event struct {
	AppID      string     `json:"appid"`
	What       string     `json:"what"`
	At         time.Time  `json:"at"`
	Publisher  string     `json:"publisher"`
	Reason     Reason     `json:"reason,omitempty"`
	Endpoint   string     `json:"endpoint,omitempty"`
	ID         string     `json:"id,omitempty"`
	PreviousID string     `json:"previous_id,omitempty"`
	Generation uint64     `json:"generation,omitempty"`
	Revision   uint64     `json:"revision,omitempty"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
	Outcome    Outcome    `json:"outcome,omitempty"`
	Reports    int        `json:"reports,omitempty"` // how many requests this answers
	Client     string     `json:"client,omitempty"`  // of the first of them
	ErrCode    int        `json:"errcode,omitempty"`
	Detail     string     `json:"detail,omitempty"` // what a human should know or do
	RetryAt    *time.Time `json:"retry_at,omitempty"`
}
