package publisher_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

// wxCall is one call of a publisher to WeChat.
type wxCall struct {
	p           *proc
	account     *seedAccount
	step        string // mint or check
	asked       time.Time
	sent, ended time.Time // of the call at WeChat; zero if it never came there
	held        bool      // the process was stopped with the request in hand, so it came late
	late        bool      // the process was stopped before it had the answer
	answered    bool      // with a token or an errcode
	id          string    // of the token that it brought
	why         []string  // what speaks for a mint at this moment
	wrong       string    // about the lease, when it was asked
}

// RoundTrip is part of http.RoundTripper.
func (p *proc) RoundTrip(req *http.Request) (*http.Response, error) {
	c, req, err := p.r.newCall(p, req)
	if err != nil {
		return nil, err
	}
	p.reach("before " + c.step)
	stopped, alive := p.goOn()
	if !alive {
		return p.nothing(req)
	}
	c.held = stopped
	resp, body, err := p.r.deliver(c, req)
	p.reach("after " + c.step)
	stopped, alive = p.goOn()
	if !alive {
		return p.nothing(req)
	}
	c.late = stopped
	p.r.judge(c, resp, body, err)
	switch ended := req.Context().Err(); {
	case err != nil:
		return nil, err
	case ended != nil && (c.held || rand.IntN(2) == 0): // else the answer was there before the end was noticed
		p.r.leftOpen(c)
		return nil, ended
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// nothing is what a dead process gets.
func (p *proc) nothing(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// deliver brings the request to WeChat, even if the caller's ctx ended while it was held.
func (r *seedRun) deliver(c *wxCall, req *http.Request) (*http.Response, []byte, error) {
	if c.held {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), seedTimeout)
		defer cancel()
		req = req.WithContext(ctx)
	}
	r.mu.Lock()
	c.sent = time.Now()
	r.mu.Unlock()
	resp, err := r.sim.Transport().RoundTrip(req)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	r.mu.Lock()
	c.ended = time.Now()
	r.mu.Unlock()
	return resp, body, err
}

// newCall notes a call, and for a mint what speaks for it now.
func (r *seedRun) newCall(p *proc, req *http.Request) (*wxCall, *http.Request, error) {
	c := &wxCall{p: p, step: "check", asked: time.Now()}
	if req.URL.Path == "/cgi-bin/token" || req.URL.Path == "/cgi-bin/stable_token" {
		c.step = "mint"
	}
	id, req, err := appidOf(r, req)
	if err != nil {
		return nil, nil, err
	}
	c.account = r.account(id)
	if c.account == nil {
		return nil, nil, fmt.Errorf("call for no known account: %s", req.URL.Path)
	}
	if c.step == "mint" {
		c.why = r.reasonsToMint(c)
		c.wrong = r.leaseProblem(c)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
	return c, req, nil
}

func appidOf(r *seedRun, req *http.Request) (string, *http.Request, error) {
	query := req.URL.Query()
	if token := query.Get("access_token"); token != "" {
		return r.keys.owner(wire.TokenID(token)), req, nil
	}
	if req.Body == nil {
		return query.Get("appid"), req, nil
	}
	data, err := io.ReadAll(req.Body)
	if err != nil {
		return "", nil, err
	}
	req = req.Clone(req.Context())
	req.Body = io.NopCloser(bytes.NewReader(data))
	var asked struct{ AppID string }
	return func() string { _ = json.Unmarshal(data, &asked); return asked.AppID }(), req, nil
}

// judge notes how the call ended, as the publisher sees it.
func (r *seedRun) judge(c *wxCall, resp *http.Response, body []byte, err error) {
	var reply struct {
		AccessToken string `json:"access_token"`
		ErrCode     int    `json:"errcode"`
	}
	plain := err == nil && json.Unmarshal(body, &reply) == nil
	a := c.account
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.step == "check" {
		refused := reply.ErrCode == 40001 || reply.ErrCode == 42001 || reply.ErrCode == 40014
		switch {
		case plain && refused:
			a.flapped[c.p.name]++
			a.flaps[c.p.name] = time.Now()
		case plain && reply.ErrCode == 0:
			a.flapped[c.p.name] = 0
		}
		c.answered = plain
		return
	}
	c.answered = plain && (reply.AccessToken != "" || reply.ErrCode != 0)
	if reply.AccessToken != "" && c.answered {
		r.setID(c, wire.TokenID(reply.AccessToken))
		a.openCall[c.p.name] = false
	} else if !c.answered {
		a.openCall[c.p.name] = true
	}
}

func (r *seedRun) setID(c *wxCall, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.id = id
}

// leftOpen notes that the publisher didn't get the answer.
func (r *seedRun) leftOpen(c *wxCall) {
	c.answered = false
	r.setID(c, "")
	if c.step == "mint" {
		c.account.mu.Lock()
		defer c.account.mu.Unlock()
		c.account.openCall[c.p.name] = true
	}
}

// reasonsToMint is all that speaks for a new token now, seen from outside.
func (r *seedRun) reasonsToMint(c *wxCall) (why []string) {
	a := c.account
	r.keys.catchUp()
	v, found := r.keys.current(a.appid)
	now := time.Now()
	info, err := r.sim.Token(a.appid, a.channel)
	if err != nil {
		r.t.Error(err)
	}
	why = append(why, r.needs(c, v, found, info)...)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.openCall[c.p.name] {
		why = append(why, "lost answer")
	}
	if a.flapped[c.p.name] >= 2 && now.Sub(a.flaps[c.p.name]) < 5*time.Second {
		why = append(why, "refused twice")
	}
	return why
}

// needs is what is wrong with the stored token. A publisher that was given the newest one has it to store, and needs no
// other while that is good (I9).
func (r *seedRun) needs(c *wxCall, v wire.Value, found bool, newest wxsim.TokenInfo) (why []string) {
	now := time.Now()
	end, life := v.ExpiresAt, v.ExpiresIn
	switch {
	case newest.ID != "" && newest.Code == 0 && r.wasGiven(c.p, newest.ID):
		end, life = newest.ExpiresAt, newest.ExpiresAt.Sub(newest.MintedAt)
	case !found:
		return []string{"missing"}
	default:
		if r.sim.CheckToken(v.Token.Reveal()) != 0 {
			why = append(why, "dead")
		}
		if v.ID != newest.ID {
			why = append(why, "not the newest")
		}
	}
	if !now.Before(end.Add(-min(seedAhead, life/2))) {
		why = append(why, "near its end")
	}
	return why
}

// wasGiven tells whether WeChat gave that token to the publisher, in time.
func (r *seedRun) wasGiven(p *proc, id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.calls, func(c *wxCall) bool { return c.p == p && c.id == id && !c.held && !c.late })
}

// leaseProblem tells what is wrong about the lease of a publisher that begins a mint, as the store has it.
func (r *seedRun) leaseProblem(c *wxCall) string {
	if !c.p.running() || r.wasEmptied(c.asked.Add(-seedLease), c.asked) || !r.nc.IsConnected() {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	entry, err := r.keys.ops.Latest(ctx, "lease."+c.account.appid)
	if err != nil || time.Now().After(c.asked) || r.wasEmptied(c.asked.Add(-seedLease), time.Now()) || !c.p.running() {
		return ""
	}
	var lease struct{ Owner string }
	_ = json.Unmarshal(entry.Value, &lease)
	switch end := entry.Stored.Add(seedLease); {
	case !entry.Exists:
		return "nobody has the lease"
	case lease.Owner != c.p.name:
		return "the lease is " + lease.Owner + "'s"
	case end.Before(c.asked.Add(seedTimeout)):
		return fmt.Sprintf("the lease ends in %v", end.Sub(c.asked))
	}
	return ""
}

func (r *seedRun) callList() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, c := range r.calls {
		fmt.Fprintf(&b, "%s %s %s asked %s sent %s ended %s held=%v late=%v answered=%v id=%s why=%v %s\n", c.account.appid[:4], c.p.name, c.step,
			r.at(c.asked), r.at(c.sent), r.at(c.ended), c.held, c.late, c.answered, c.id, c.why, c.wrong)
	}
	return b.String()
}
