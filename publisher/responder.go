package publisher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// responder is the micro service on the refresh subjects. Its handlers only read the request and hand it on: micro
// calls them one after the other, and answers come from the refresh path.
type responder struct {
	*Publisher
	lookups gate // bounds reads of keys of accounts that we don't hold
	errors  atomic.Uint64
	warned  atomic.Int64 // Unix nanoseconds of the last warning
}

const (
	lookupsAtOnce = 16
	warnEvery     = 10 * time.Second
)

func (p *Publisher) serve() (micro.Service, error) {
	r := &responder{Publisher: p, lookups: make(gate, lookupsAtOnce)}
	service, err := micro.AddService(p.cfg.Conn, micro.Config{
		Name:         wire.ServiceName,
		Version:      p.cfg.Version,
		Description:  "reports that WeChat refused an access token, and asks for a new one",
		Metadata:     map[string]string{"publisher": p.cfg.Publisher, "bucket": p.cfg.Names.Bucket},
		StatsHandler: r.stats,
		ErrorHandler: func(_ micro.Service, err *micro.NATSError) {
			p.log.Error("refresh service has an error", "subject", err.Subject, "err", err)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("add refresh service: %w", err)
	}
	err = errors.Join(
		service.AddEndpoint("refresh", micro.HandlerFunc(r.handle), micro.WithEndpointSubject(p.cfg.Names.RefreshSubject())),
		service.AddEndpoint("refresh-account", micro.HandlerFunc(r.handle), micro.WithEndpointSubject(p.cfg.Names.AccountRefreshSubject("*"))),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("add refresh service: %w", err), service.Stop())
	}
	return service, nil
}

// stats are shown by `nats micro stats --json` and `nats micro info`: micro itself doesn't see answers that come later.
func (r *responder) stats(*micro.Endpoint) any {
	return map[string]uint64{"error_replies": r.errors.Load()}
}

func (r *responder) handle(msg micro.Request) {
	if r.hostile(msg.Reply()) {
		r.reject("", reasonNone, "", &requestError{wire.CodeMalformed, "reply subject is none for replies"})
		return
	}
	request, err := wire.DecodeRequest(msg.Data())
	if err != nil {
		r.reject(msg.Reply(), reasonNone, "", &requestError{wire.CodeMalformed, err.Error()})
		return
	}
	appid, err := r.appid(msg.Subject(), request)
	if err != nil {
		r.reject(msg.Reply(), reasonNone, appid, err)
		return
	}
	a := r.account(appid)
	if a == nil {
		go r.handleUnknown(msg.Reply(), appid)
		return
	}
	a.enqueue(r.ask(msg.Reply(), a, request))
}

// hostile tells whether a reply there would be more than a reply. NATS lets whoever may ask name any subject for it: a key
// would be written with our rights, and an empty error reply is all that JetStream needs to delete a stream.
func (r *responder) hostile(reply string) bool {
	return strings.HasPrefix(reply, "$") || strings.HasPrefix(reply, r.cfg.Names.Prefix+".")
}

// appid is the account that the subject names, else the payload, else the only one.
func (r *responder) appid(subject string, request wire.Request) (string, error) {
	if named, ok := strings.CutPrefix(subject, r.cfg.Names.AccountRefreshSubject("")); ok {
		if err := wire.CheckAppID(named); err != nil {
			return "", &requestError{wire.CodeMalformed, "subject names no appid"}
		}
		return named, nil
	}
	if request.AppID != "" {
		return request.AppID, nil
	}
	accounts := r.all()
	if len(accounts) != 1 {
		return "", &requestError{wire.CodeMalformed,
			fmt.Sprintf(`request names no account and this publisher holds %d: send {"appid":"wx…"} or ask on %s`, len(accounts), r.cfg.Names.AccountRefreshSubject("<appid>"))}
	}
	return accounts[0].appid, nil
}

func (r *responder) ask(reply string, a *account, request wire.Request) *ask {
	k := &ask{reason: wire.ReasonManual, id: request.ID, code: request.ErrCode, client: request.Client}
	if request.ID != "" {
		k.reason = wire.ReasonReported
	}
	k.answer = func(ans answer) {
		if ans.err != nil {
			r.reject(reply, k.reason, a.appid, ans.err)
			return
		}
		r.reply(reply, k.reason, a.appid, ans)
	}
	return k
}

// handleUnknown answers for an account that we don't hold: while an accounts file spreads, others may.
func (r *responder) handleUnknown(reply, appid string) {
	ctx, cancel := context.WithTimeout(r.work.ctx, storeTimeout)
	defer cancel()
	held := false
	err := r.lookups.enter(ctx)
	if err == nil {
		defer r.lookups.leave()
		entry, readErr := r.tokens.Latest(ctx, wire.Key(appid, wire.KindAccessToken))
		held, err = entry.Exists, readErr
	}
	switch {
	case err != nil:
		r.reject(reply, reasonNone, appid, err)
	case held:
		r.reject(reply, reasonNone, appid, notHeld(appid))
	default:
		r.reject(reply, reasonNone, appid, &requestError{wire.CodeUnknownAccount, "no publisher holds account " + appid})
	}
}

func (r *responder) reply(to string, reason wire.Reason, appid string, ans answer) {
	r.metrics.requests.WithLabelValues(string(reason), string(ans.outcome)).Inc()
	if to == "" {
		return // a plain publish: its sender looks at the key
	}
	data, err := json.Marshal(wire.Reply{
		AppID:      appid,
		ID:         ans.current.ID,
		Revision:   ans.current.revision,
		Generation: ans.current.Generation,
		ExpiresAt:  ans.current.ExpiresAt,
		Outcome:    ans.outcome,
	})
	if err != nil {
		r.reject(to, reason, appid, err)
		return
	}
	r.send(&nats.Msg{Subject: to, Data: data})
}

// reject answers with micro's error headers.
func (r *responder) reject(to string, reason wire.Reason, appid string, err error) {
	code, text, fault := describe(err)
	r.errors.Add(1)
	r.metrics.requests.WithLabelValues(string(reason), fmt.Sprintf("error_%d", code)).Inc()
	r.log.Debug("refresh request is refused", "appid", appid, "code", code, "err", text)
	if to == "" {
		r.warnOfBadPublish(err)
		return
	}
	var data []byte
	if fault != (wire.Fault{}) {
		data, _ = json.Marshal(fault) // numbers, texts and a time always marshal
	}
	r.send(&nats.Msg{Subject: to, Data: data, Header: nats.Header{
		micro.ErrorHeader:     {text},
		micro.ErrorCodeHeader: {strconv.Itoa(code)},
	}})
}

// warnOfBadPublish logs a plain publish that can't be understood, for nobody else tells, but not each of a flood.
func (r *responder) warnOfBadPublish(err error) {
	request, is := errors.AsType[*requestError](err)
	last := r.warned.Load()
	now := time.Now().UnixNano()
	if !is || last != 0 && now-last < int64(warnEvery) || !r.warned.CompareAndSwap(last, now) {
		return
	}
	r.log.Warn("published refresh request is refused", "code", request.code, "err", request.text)
}

func (r *responder) send(msg *nats.Msg) {
	if err := r.cfg.Conn.PublishMsg(msg); err != nil {
		r.log.Debug("reply is lost", "err", err) // the asker asks again
	}
}

// reasonNone is that of requests that came to no ask: malformed ones, and those for accounts that we don't hold.
const reasonNone wire.Reason = "none"

// requestError is an error that has its code already.
type requestError struct {
	code int
	text string
}

func (e *requestError) Error() string { return e.text }

// notHeld is for an account that we don't hold, or no longer, though others may.
func notHeld(appid string) error {
	return &requestError{wire.CodeUnavailable, "this publisher doesn't hold account " + appid + ", others may: try again"}
}

// describe turns an error into code, sentence and body of a reply.
func describe(err error) (code int, text string, fault wire.Fault) {
	if request, is := errors.AsType[*requestError](err); is {
		return request.code, request.text, fault
	}
	if spent, is := errors.AsType[*budgetSpentError](err); is {
		at := spent.retryAt.UTC()
		return wire.CodeBudgetSpent, spent.Error(), wire.Fault{RetryAt: &at}
	}
	if refused, is := errors.AsType[*wechat.Error](err); is && refused.Code != 0 {
		return wire.CodeRefused, refused.Error(), wire.Fault{ErrCode: refused.Code, ErrMsg: refused.Msg}
	}
	if mint, is := errors.AsType[*mintError](err); is { // WeChat gave no answer that makes sense
		return wire.CodeRefused, mint.Error(), wire.Fault{ErrMsg: mint.Error()}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return wire.CodeTimeout, "timed out: " + err.Error(), fault
	}
	return wire.CodeUnavailable, "try again: " + err.Error(), fault
}
