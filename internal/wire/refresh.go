package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"time"
)

// MaxRequestSize is the longest refresh request, in bytes, that a publisher reads.
const MaxRequestSize = 4096

// Request is the payload of a message on the refresh subjects. All fields are optional; an empty payload is the zero
// Request. With ID it reports that WeChat refused that token; without, it asks for a new one by hand.
type Request struct {
	AppID   string `json:"appid,omitempty"`
	ID      string `json:"id,omitempty"`
	ErrCode int    `json:"errcode,omitempty"`
	Client  string `json:"client,omitempty"` // who asks, e.g. orders/pod-7, for the audit trail; dropped unless plain and short
}

// DecodeRequest reads a request. Its errors say what is wrong in words meant for the sender, and repeat nothing of data.
func DecodeRequest(data []byte) (Request, error) {
	if len(data) > MaxRequestSize {
		return Request{}, fmt.Errorf("request of %d bytes: at most %d", len(data), MaxRequestSize)
	}
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return Request{}, nil
	}
	if data[0] != '{' {
		return Request{}, errors.New(`request is not a JSON object like {"appid":"wx…","id":"…","errcode":42001}`)
	}
	var r Request
	if err := json.Unmarshal(data, &r); err != nil {
		return Request{}, requestError(err)
	}
	if r.AppID != "" && CheckAppID(r.AppID) != nil {
		return Request{}, errors.New("request field appid: want 1 to 64 letters, digits, _ or -")
	}
	if r.ID != "" && !tokenIDForm.MatchString(r.ID) {
		return Request{}, errors.New("request field id: want a token id (the first 16 hex digits of the token's SHA-256), not the token")
	}
	if !clientForm.MatchString(r.Client) {
		r.Client = ""
	}
	return r, nil
}

var (
	tokenIDForm = regexp.MustCompile(`^[0-9a-f]{16}$`)
	clientForm  = regexp.MustCompile(`^[A-Za-z0-9_./:@-]{1,64}$`)
)

func requestError(err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		return fmt.Errorf("request field %s: want a %s", wrongType.Field, jsonName(wrongType.Type))
	}
	return errors.New("request is not valid JSON")
}

func jsonName(t reflect.Type) string {
	if t.Kind() == reflect.Int {
		return "whole number"
	}
	return t.String()
}

// Outcome tells what a refresh request came to.
type Outcome string

// The outcomes of a request that was served.
const (
	AlreadyReplaced Outcome = "already_replaced" // the reported token was no longer the current one
	Replaced        Outcome = "replaced"         // the request led to a new token
	StillValid      Outcome = "still_valid"      // WeChat was asked and still accepts the reported token
	TooSoon         Outcome = "too_soon"         // a manual request right after a mint; the current token stands
)

// Reply answers a request. It never holds the token: a token has one way out, the KV bucket.
type Reply struct {
	AppID      string    `json:"appid"`
	ID         string    `json:"id"` // of the current token
	Revision   uint64    `json:"revision"`
	Generation uint64    `json:"generation"`
	ExpiresAt  time.Time `json:"expires_at"`
	Outcome    Outcome   `json:"outcome"`
}

// Error codes of the micro header Nats-Service-Error-Code.
const (
	CodeMalformed      = 400 // the request can't be read
	CodeUnknownAccount = 404 // nobody holds that account
	CodeBudgetSpent    = 429 // the body says until when
	CodeRefused        = 502 // WeChat refused to mint; the body is WeChat's error
	CodeUnavailable    = 503 // store or lease can't be reached: try again
	CodeTimeout        = 504 // the work didn't end in time: look at the key, or ask again
)

// Fault is the body of an error reply.
type Fault struct {
	ErrCode int        `json:"errcode,omitempty"` // WeChat's, with CodeRefused
	ErrMsg  string     `json:"errmsg,omitempty"`
	RetryAt *time.Time `json:"retry_at,omitempty"` // with CodeBudgetSpent: when the budget has room again
}
