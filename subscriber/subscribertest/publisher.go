package subscribertest

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// A Report is a request to the publishers: "WeChat refused this token".
type Report struct {
	Token  string // what was refused, if the Double ever published it
	ID     string // its id, as in subscriber.Token; empty if the request names no token
	Client string // who asks, as subscriber.WithClient has it
}

// An Answer is what the publishers make of a report of the current token. A report of an older one never needs an answer:
// that it was replaced is all there is to say.
type Answer struct {
	replace bool
	token   string
	outcome wire.Outcome
	code    int // of an error; 0: none
	fault   wire.Fault
	silent  bool
}

// Replace publishes the token in the place of the refused one. The empty string stands for a token that was not there
// before.
func Replace(token string) Answer {
	return Answer{replace: true, token: token, outcome: wire.Replaced}
}

// StillValid says that WeChat accepts the token. Refresh returns the token that was refused, and no error.
func StillValid() Answer { return Answer{outcome: wire.StillValid} }

// Refused says that WeChat gave no new token. Refresh returns a *subscriber.RefusedError.
func Refused(errcode int, errmsg string) Answer {
	return Answer{code: wire.CodeRefused, fault: wire.Fault{ErrCode: errcode, ErrMsg: errmsg}}
}

// BudgetSpent says that nothing more is minted on request before until. Refresh returns a *subscriber.BudgetSpentError.
func BudgetSpent(until time.Time) Answer {
	return Answer{code: wire.CodeBudgetSpent, fault: wire.Fault{RetryAt: &until}}
}

// Unavailable says that the publishers didn't get it done. Refresh asks again until its ctx ends.
func Unavailable() Answer { return Answer{code: wire.CodeUnavailable} }

// NoPublisher is what happens when none is running. Refresh returns subscriber.ErrNoPublisher.
func NoPublisher() Answer { return Answer{silent: true} }

// OnRefresh sets what the publishers make of reports from now on: each answer serves one report, and the last one all
// that follow. Without answers, and at the start, it is Replace("").
func (d *Double) OnRefresh(answers ...Answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers = answers
}

// Reports are those that came so far, the oldest first. Refreshes of one token that overlap come as one report.
func (d *Double) Reports() []Report {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Report(nil), d.reports...)
}

// serve answers requests until the Double ends.
func (d *Double) serve() error {
	subject := wire.DefaultNames().AccountRefreshSubject(d.appid)
	if _, err := d.nc.ChanSubscribe(subject, d.requests); err != nil {
		return err
	}
	d.serving.Go(func() {
		for {
			select {
			case msg := <-d.requests:
				d.serveOne(msg)
			case <-d.stop:
				return
			}
		}
	})
	return nil
}

func (d *Double) serveOne(msg *nats.Msg) {
	request, err := wire.DecodeRequest(msg.Data)
	if err != nil {
		d.reply(msg, Answer{code: wire.CodeMalformed})
		return
	}
	answer := d.take(request)
	if answer.replace {
		if _, err := d.store(answer.token, usualLife); err != nil {
			d.t.Errorf("subscribertest: store a token: %v", err)
			answer = Unavailable()
		}
	}
	d.reply(msg, answer)
}

// take writes the report down and chooses its answer.
func (d *Double) take(request wire.Request) Answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reports = append(d.reports, Report{Token: d.known[request.ID], ID: request.ID, Client: request.Client})
	if request.ID != "" && request.ID != d.current.ID {
		return Answer{outcome: wire.AlreadyReplaced}
	}
	if len(d.answers) == 0 {
		return Replace("")
	}
	answer := d.answers[0]
	if len(d.answers) > 1 {
		d.answers = d.answers[1:]
	}
	return answer
}

// reply sends an answer as publishers word it.
func (d *Double) reply(to *nats.Msg, a Answer) {
	msg := nats.NewMsg(to.Reply)
	switch {
	case to.Reply == "":
		return
	case a.silent: // what NATS itself says
		msg.Header.Set("Status", "503")
	case a.code != 0:
		msg.Header.Set("Nats-Service-Error-Code", strconv.Itoa(a.code))
		msg.Header.Set("Nats-Service-Error", "subscribertest was told to say this")
		msg.Data, _ = json.Marshal(a.fault) // plain fields: there is nothing to fail
	default:
		msg.Data = d.success(a.outcome)
	}
	_ = d.nc.PublishMsg(msg) // fails only once the test has closed the connection
}

func (d *Double) success(outcome wire.Outcome) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	data, _ := json.Marshal(wire.Reply{ // plain fields: there is nothing to fail
		AppID:      d.appid,
		ID:         d.current.ID,
		Generation: d.current.Generation,
		ExpiresAt:  d.current.ExpiresAt,
		Outcome:    outcome,
	})
	return data
}
