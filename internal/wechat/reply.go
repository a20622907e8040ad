package wechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxExpiresIn is the longest life that is believed. WeChat says 7200 s, and that it may change; a gateway that makes
// milliseconds of it (83 days) must not keep a dead token in use.
const maxExpiresIn = 30 * 24 * time.Hour

// reply is what WeChat's JSON says. Fields that are missing, or hold something impossible, are zero.
type reply struct {
	code      int
	hasCode   bool // a successful mint has no errcode
	msg       string
	token     string
	expiresIn time.Duration
	hasIPs    bool
}

// parseReply reads a reply body. Its errors quote nothing of it.
func parseReply(body []byte) (reply, error) {
	if len(body) > maxReply {
		return reply{}, fmt.Errorf("the reply is longer than %d bytes", maxReply)
	}
	var fields struct {
		Code      json.RawMessage `json:"errcode"`
		Msg       json.RawMessage `json:"errmsg"`
		Token     json.RawMessage `json:"access_token"`
		ExpiresIn json.RawMessage `json:"expires_in"`
		IPs       json.RawMessage `json:"ip_list"`
	}
	if json.Unmarshal(body, &fields) != nil {
		return reply{}, notJSON(body)
	}
	code, hasCode, err := parseCode(fields.Code)
	if err != nil {
		return reply{}, err
	}
	return reply{
		code:      code,
		hasCode:   hasCode,
		msg:       parseText(fields.Msg),
		token:     parseToken(fields.Token),
		expiresIn: parseExpiresIn(fields.ExpiresIn),
		hasIPs:    bytes.HasPrefix(fields.IPs, []byte("[")),
	}, nil
}

func notJSON(body []byte) error {
	what := "not JSON"
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) {
		what = "a web page"
	}
	return fmt.Errorf("the reply (%d bytes) is %s", len(body), what)
}

// parseCode fails on a code that is there but can't be read: to take it for 0 would turn a refusal into a success.
func parseCode(raw json.RawMessage) (code int, present bool, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		return 0, false, nil
	}
	f, ok := parseNumber(raw)
	code = int(f)
	if !ok || float64(code) != f {
		return 0, false, errors.New("the reply's errcode is not a whole number")
	}
	return code, true, nil
}

// parseExpiresIn rounds down, so that a token never seems to live longer than it does.
func parseExpiresIn(raw json.RawMessage) time.Duration {
	seconds, ok := parseNumber(raw)
	if !ok || seconds < 1 || seconds > maxExpiresIn.Seconds() {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// parseNumber reads 7200, 7200.0 and "7200". What is beyond 32 bits is no number of WeChat's.
func parseNumber(raw json.RawMessage) (float64, bool) {
	text := string(raw)
	if strings.HasPrefix(text, `"`) {
		text = strings.TrimSpace(parseText(raw))
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && f >= -1<<31 && f < 1<<31
}

// parseToken refuses only what can't travel in a URL, a header or a file. WeChat documents no pattern.
func parseToken(raw json.RawMessage) string {
	token := parseText(raw)
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return token
}

func parseText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}
