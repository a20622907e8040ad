package wxsim

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// call is one request on its way through the simulator.
type call struct {
	s        *Server
	w        http.ResponseWriter
	r        *http.Request
	query    url.Values
	endpoint endpoint
	ip       netip.Addr
	begun    time.Time

	account   *account // nil: the call names none that is known
	token     *token   // nil: the call has none that is known
	asked     credentials
	malformed bool // the body is not the JSON that it should be

	fired   []Kind // faults that struck
	decided bool   // the call came to an outcome: code
	code    int
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	c := &call{s: s, w: w, r: r, query: r.URL.Query(), endpoint: endpointOf(r.URL.Path), ip: clientIP(r), begun: time.Now()}
	c.identify()
	answer := c.answer()
	var delay, slow *Fault
	if !answer.hang && !answer.drop {
		delay, slow = c.fault(Delay), c.fault(SlowBody)
	}
	c.count() // now, so that a caller who has the answer finds it in the books
	if delay != nil {
		c.pause(delay.Delay)
	}
	if answer.hang {
		c.discardBody() // net/http notices a caller who leaves only once the body is read
		c.pause(maxHang)
	}
	if answer.hang || answer.drop {
		panic(http.ErrAbortHandler)
	}
	c.write(answer, slow)
}

// identify finds whose call it is. Faults need to know before the call is judged.
func (c *call) identify() {
	c.readCredentials()
	if c.asked.AppID != "" {
		c.account = c.s.account(c.asked.AppID)
	}
	if found, ok := c.s.tokens.Load(c.query.Get("access_token")); ok && c.endpoint.group != GroupMint {
		c.token = found.(*token)
		c.account = c.token.account
	}
}

func (c *call) answer() reply {
	if f := c.replacing(false); f != nil {
		answer := c.replace(f)
		if answer.code != 0 {
			c.decide(answer.code)
		}
		if !answer.drop && !answer.hang {
			c.discardBody()
		}
		return answer
	}
	answer := c.serve()
	c.decide(answer.code)
	if f := c.replacing(true); f != nil {
		return c.replace(f)
	}
	return answer
}

func (c *call) serve() reply {
	switch method := c.endpoint.method; {
	case method == "" || method == c.r.Method:
		return c.endpoint.serve(c)
	case method == http.MethodGet:
		return c.refuse(CodeRequireGet)
	default:
		return c.refuse(CodeRequirePost)
	}
}

func (c *call) decide(code int) { c.decided, c.code = true, code }

// count puts the call into the books.
func (c *call) count() {
	a := c.owner()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, kind := range c.fired {
		a.stats.countFault(kind)
	}
	if c.endpoint.group == GroupCheck {
		a.stats.Checks++
	}
	switch {
	case !c.decided:
	case c.code == 0:
		a.stats.Accepted++
	default:
		a.stats.countRefused(c.code)
	}
}

// owner is the account that the call counts for.
func (c *call) owner() *account {
	if c.account != nil {
		return c.account
	}
	return c.s.nobody
}

func (c *call) knobs() Knobs {
	a := c.owner()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.settings.knobs
}

// pause holds the call back. If the caller leaves or the Server is closed meanwhile, it cuts the connection.
func (c *call) pause(d time.Duration) {
	ctx, end := context.WithCancel(c.r.Context())
	defer end()
	defer c.s.waiting.add(end)()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		panic(http.ErrAbortHandler)
	}
}

// discardBody reads what is left of the request, as WeChat's front does before anything is judged. A caller who waits
// for "100 Continue" is spared the upload.
func (c *call) discardBody() {
	if c.r.Header.Get("Expect") == "" {
		io.Copy(io.Discard, c.r.Body)
	}
}

// readJSON reads the body into v.
func (c *call) readJSON(v any) bool {
	data, err := io.ReadAll(io.LimitReader(c.r.Body, maxJSONBody))
	return err == nil && json.Unmarshal(data, v) == nil
}

// checkToken gives the code that refuses the call's access_token, or 0.
func (c *call) checkToken() int {
	if c.query.Get("access_token") == "" {
		return CodeTokenMissing
	}
	if c.token == nil {
		return CodeInvalidCredential
	}
	if code := c.token.checkNow(); code != 0 {
		return code
	}
	if f := c.fault(Flap); f != nil {
		return orDefault(f.Code, CodeInvalidCredential)
	}
	return 0
}

func (t *token) checkNow() int {
	a, now := t.account, time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	code := t.check(now, a.settings.knobs)
	if code == 0 && a.state.get(now) == AccountFrozen {
		return CodeUserLimited
	}
	return code
}

func clientIP(r *http.Request) netip.Addr {
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	return netip.IPv4Unspecified()
}
