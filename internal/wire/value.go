package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// Value is one stored credential of an account. Printing it shows no token; Encode writes it.
type Value struct {
	AppID      string
	Kind       string
	Token      secret.String
	ID         string        // TokenID(Token), whatever it is set to when the value is stored
	ExpiresIn  time.Duration // what WeChat said at the mint, whole seconds
	MintedAt   time.Time     // just before the mint was sent, UTC
	ExpiresAt  time.Time     // MintedAt + ExpiresIn: never later than WeChat's own end
	Reason     Reason
	Publisher  string // who minted it, e.g. host-a/4711
	Endpoint   string // stable_token or token
	PreviousID string // id of the value that this one replaced, if any
	Generation uint64 // orders an account's tokens; a reader takes a greater one only
	Fence      uint64 // revision of the lease that the token was minted under
}

// Reason tells why a token was minted.
type Reason string

// The reasons that a value or an event can bear.
const (
	ReasonStartup   Reason = "startup"   // the first mint of a publisher that found no good token
	ReasonScheduled Reason = "scheduled" // the stored token came near its end
	ReasonReported  Reason = "reported"  // a service was told that the token is stale, and it was
	ReasonManual    Reason = "manual"    // a request without a token id
	ReasonMissing   Reason = "missing"   // the key was gone while the publisher ran
)

// Reasons are all of them.
func Reasons() []Reason {
	return []Reason{ReasonStartup, ReasonScheduled, ReasonReported, ReasonManual, ReasonMissing}
}

// TokenID is the first 16 hex digits of the token's SHA-256: safe to log, to compare and to send.
func TokenID(token string) string {
	var text [512]byte // room for WeChat's longest: hashing it allocates nothing
	sum := sha256.Sum256(append(text[:0], token...))
	var id [16]byte
	hex.Encode(id[:], sum[:8])
	return string(id[:])
}

// NextGeneration is the generation of a token minted at mintedAt that follows one of generation previous.
func NextGeneration(previous uint64, mintedAt time.Time) uint64 {
	return max(previous+1, uint64(max(0, mintedAt.UnixMilli())))
}

// jsonValue is Value as it is stored: https://github.com/wxtoken/wxtoken documents every field.
type jsonValue struct {
	AppID       string    `json:"appid"`
	Kind        string    `json:"kind"`
	AccessToken string    `json:"access_token"`
	ID          string    `json:"id"`
	ExpiresIn   int64     `json:"expires_in"`
	MintedAt    time.Time `json:"minted_at"`
	ExpiresAt   time.Time `json:"expires_at"`
	Reason      Reason    `json:"reason"`
	Publisher   string    `json:"publisher"`
	Endpoint    string    `json:"endpoint"`
	PreviousID  string    `json:"previous_id,omitempty"`
	Generation  uint64    `json:"generation"`
	Fence       uint64    `json:"fence"`
}

// Encode writes v as it is stored, token included. Times are cut to milliseconds, downwards.
func (v Value) Encode() ([]byte, error) {
	return json.Marshal(jsonValue{
		AppID:       v.AppID,
		Kind:        v.Kind,
		AccessToken: v.Token.Reveal(),
		ID:          TokenID(v.Token.Reveal()),
		ExpiresIn:   int64(v.ExpiresIn / time.Second),
		MintedAt:    v.MintedAt.UTC().Truncate(time.Millisecond),
		ExpiresAt:   v.ExpiresAt.UTC().Truncate(time.Millisecond),
		Reason:      v.Reason,
		Publisher:   v.Publisher,
		Endpoint:    v.Endpoint,
		PreviousID:  v.PreviousID,
		Generation:  v.Generation,
		Fence:       v.Fence,
	})
}

// DecodeValue reads a stored value. It ignores fields that it doesn't know and computes the id itself. Its errors hold
// nothing of data.
func DecodeValue(data []byte) (Value, error) {
	j, err := parse(data)
	if err != nil {
		return Value{}, fmt.Errorf("decode stored value of %d bytes: not the JSON of a token", len(data))
	}
	if j.ExpiresIn < 0 || j.ExpiresIn > maxExpiresIn {
		return Value{}, errors.New("decode stored value: expires_in is out of range")
	}
	v := Value{
		AppID:      j.AppID,
		Kind:       j.Kind,
		Token:      secret.New(j.AccessToken),
		ID:         TokenID(j.AccessToken),
		ExpiresIn:  time.Duration(j.ExpiresIn) * time.Second,
		MintedAt:   j.MintedAt.UTC(),
		ExpiresAt:  j.ExpiresAt.UTC(),
		Reason:     j.Reason,
		Publisher:  j.Publisher,
		Endpoint:   j.Endpoint,
		PreviousID: j.PreviousID,
		Generation: j.Generation,
		Fence:      j.Fence,
	}
	if err := v.check(); err != nil {
		return Value{}, err
	}
	return v, nil
}

// parse reads data as encoding/json does, and mostly without it.
func parse(data []byte) (jsonValue, error) {
	if j, ok := parseFlat(data); ok {
		return j, nil
	}
	var j jsonValue
	err := json.Unmarshal(data, &j)
	return j, err
}

const (
	maxExpiresIn = 1 << 31
	// maxGeneration is the greatest whole number that readers in every language can tell from its neighbours. As no token
	// could follow the greatest of all, a value beyond it must be overwritten, not obeyed.
	maxGeneration = 1<<53 - 1
)

func (v Value) check() error {
	var problems []error
	if CheckAppID(v.AppID) != nil {
		problems = append(problems, errors.New("no usable appid")) // it may be anything, a token for one
	}
	if v.Token.IsZero() {
		problems = append(problems, errors.New("no access_token"))
	}
	if v.ExpiresAt.IsZero() {
		problems = append(problems, errors.New("no expires_at"))
	}
	if !storable(v.MintedAt) || !storable(v.ExpiresAt) {
		problems = append(problems, errors.New("a time that can't be stored again"))
	}
	if v.Generation == 0 || v.Generation > maxGeneration {
		problems = append(problems, errors.New("no usable generation"))
	}
	if len(problems) > 0 {
		return fmt.Errorf("decode stored value: %w", errors.Join(problems...))
	}
	return nil
}

// storable tells whether JSON can say t in UTC: the end of 9999 in the west is 10000 there.
func storable(t time.Time) bool { return t.Year() >= 0 && t.Year() <= 9999 }
