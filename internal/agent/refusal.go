package agent

import (
	"errors"
	"net/http"

	"github.com/wxtoken/wxtoken/internal/httpd"
	"github.com/wxtoken/wxtoken/subscriber"
)

// Codes of WeChat's that the agent uses for what they mean there.
const (
	codeBusy       = -1
	codeGrantType  = 40002
	codeAppID      = 40013
	codeSecret     = 40125
	codeNoAppID    = 41002
	codeNoSecret   = 41004
	codeNeedGet    = 43001
	codeNeedPost   = 43002
	codeNotJSON    = 47001
	codeInvalidURL = 40066
)

// refusal is an answer of the agent's own, in WeChat's form.
type refusal struct {
	status  int
	outcome outcome
	code    int
	text    string
}

type errorBody struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
}

func (f *refusal) write(w http.ResponseWriter) {
	httpd.JSON(w, f.status, errorBody{f.code, "wxtoken agent: " + f.text})
}

// tokenless is why a has no token to use: 404 where nothing but an administrator's hand mends it.
func tokenless(err error) *refusal {
	if rights, ok := errors.AsType[*subscriber.RightsError](err); ok {
		return &refusal{http.StatusNotFound, unknownAccount, codeAppID, "the account can't be read: " + rights.Error()}
	}
	return &refusal{http.StatusServiceUnavailable, noToken, codeBusy, "no good token: " + err.Error()}
}
