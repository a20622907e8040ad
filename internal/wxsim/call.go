package wxsim

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Content types as on the real platform: "encoding" where others say "charset".
const (
	typeJSON  = "application/json; encoding=utf-8"
	typePlain = "text/plain"
	typeHTML  = "text/html; charset=utf-8"
)

const (
	pathToken        = "/cgi-bin/token"
	pathStable       = "/cgi-bin/stable_token"
	pathTicket       = "/cgi-bin/ticket/getticket"
	pathClearQuotaV2 = "/cgi-bin/clear_quota/v2"
)

// endpoint is how one path behaves.
type endpoint struct {
	group  Group
	method string // empty: any
	plain  bool   // errors are sent as text/plain
	serve  func(*call) reply
}

var endpoints = map[string]endpoint{
	pathToken:                         {group: GroupMint, method: http.MethodGet, serve: serveMint},
	pathStable:                        {group: GroupMint, method: http.MethodPost, serve: serveMint},
	"/cgi-bin/getcallbackip":          {group: GroupCheck, method: http.MethodGet, serve: serveIPs},
	"/cgi-bin/get_api_domain_ip":      {group: GroupCheck, method: http.MethodGet, serve: serveIPs},
	pathTicket:                        {group: GroupBusiness, method: http.MethodGet, serve: serveTicket},
	"/cgi-bin/clear_quota":            {group: GroupBusiness, method: http.MethodPost, serve: serveClearQuota},
	pathClearQuotaV2:                  {group: GroupBusiness, method: http.MethodPost, serve: serveClearQuotaV2},
	"/cgi-bin/openapi/quota/get":      {group: GroupBusiness, method: http.MethodPost, serve: serveQuotaGet},
	"/cgi-bin/openapi/rid/get":        {group: GroupBusiness, method: http.MethodPost, serve: serveRidGet},
	"/cgi-bin/user/info":              {group: GroupBusiness, method: http.MethodGet, serve: serveUserInfo},
	"/cgi-bin/message/custom/send":    {group: GroupBusiness, method: http.MethodPost, serve: serveBusiness},
	"/cgi-bin/message/template/send":  {group: GroupBusiness, method: http.MethodPost, serve: serveBusiness},
	"/cgi-bin/menu/create":            {group: GroupBusiness, method: http.MethodPost, serve: serveBusiness},
	"/cgi-bin/media/get":              {group: GroupBusiness, method: http.MethodGet, plain: true, serve: serveMediaGet},
	"/cgi-bin/media/upload":           {group: GroupBusiness, method: http.MethodPost, plain: true, serve: serveMediaUpload},
	"/cgi-bin/material/get_material":  {group: GroupBusiness, method: http.MethodPost, plain: true, serve: serveBusiness},
	"/cgi-bin/message/mass/sendall":   {group: GroupBusiness, method: http.MethodPost, serve: serveBusiness},
	"/cgi-bin/message/subscribe/send": {group: GroupBusiness, method: http.MethodPost, serve: serveBusiness},
}

// businessPrefixes begin the paths of which any is taken for a business call.
var businessPrefixes = []string{
	"/cgi-bin/", "/wxa/", "/wxaapi/", "/datacube/", "/card/", "/customservice/", "/semantic/", "/tcb/", "/shop/",
	"/product/", "/channels/", "/scan/", "/device/", "/bizwifi/", "/shakearound/", "/cv/", "/wxaqrcode/", "/business/",
}

func endpointOf(path string) endpoint {
	if e, ok := endpoints[path]; ok {
		return e
	}
	for _, prefix := range businessPrefixes {
		if strings.HasPrefix(path, prefix) && len(path) > len(prefix) {
			return endpoint{group: GroupBusiness, serve: serveBusiness}
		}
	}
	return endpoint{group: GroupBusiness, serve: func(c *call) reply { return c.refuse(CodeInvalidURL) }}
}

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

// reply is an answer before it is written.
type reply struct {
	status      int
	contentType string
	disposition string
	body        []byte
	stream      io.Reader // instead of body, length bytes of it
	length      int64
	code        int

	hang, drop bool // instead of an answer
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

// fault finds a fault of that kind which strikes the call.
func (c *call) fault(kind Kind) *Fault {
	return c.take(func(f Fault) bool { return f.Kind == kind })
}

func (c *call) replacing(after bool) *Fault {
	return c.take(func(f Fault) bool { return f.After == after && slices.Contains(replacing, f.Kind) })
}

func (c *call) take(which func(Fault) bool) *Fault {
	f := c.s.faults.take(c.owner().appid, c.r.URL.Path, c.endpoint.group, which)
	if f != nil {
		c.fired = append(c.fired, f.Kind)
	}
	return f
}

// replace gives the answer that a fault puts in the place of the real one.
func (c *call) replace(f *Fault) reply {
	switch f.Kind {
	case Busy:
		return c.refuse(CodeBusy)
	case ErrCode:
		return c.refuseAs(f.Code, orDefault(f.ErrMsg, c.textOf(f.Code)))
	case BadGateway:
		return reply{status: http.StatusBadGateway, contentType: typeHTML, body: []byte(badGatewayPage)}
	case Portal:
		return reply{contentType: typeHTML, body: []byte(portalPage)}
	case Garbage:
		return reply{contentType: typeJSON, body: []byte(`{"access_token":"84_garbage","expires_in":72`)}
	case Empty:
		return reply{contentType: typeJSON}
	case Hang:
		return reply{hang: true}
	default:
		return reply{drop: true}
	}
}

const (
	badGatewayPage = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
	portalPage     = "<!DOCTYPE html><html><head><title>Welcome</title></head><body><p>Please sign in to use this network.</p></body></html>\n"
)

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

type errorBody struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
}

func (c *call) ok() reply { return c.json(errorBody{0, "ok"}) }

func (c *call) refuse(code int) reply { return c.refuseAs(code, c.textOf(code)) }

func (c *call) refuseAs(code int, text string) reply {
	rid := newRid(c.begun)
	answer := c.json(errorBody{code, text + " rid: " + rid})
	answer.code = code
	if c.endpoint.plain {
		answer.contentType = typePlain
	}
	c.s.failures.add(c, rid, answer.body)
	c.s.log.Info("refused", "appid", c.owner().appid, "path", shortened(c.r.URL.Path), "errcode", code, "rid", rid, "token_id", c.tokenID())
	return answer
}

func (c *call) tokenID() string {
	if c.token == nil {
		return ""
	}
	return c.token.id
}

func shortened(s string) string { return s[:min(len(s), 100)] }

func (c *call) json(v any) reply {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs always marshal
	}
	return reply{contentType: typeJSON, body: body}
}

func (c *call) write(a reply, slow *Fault) {
	length := a.length
	if a.stream == nil {
		length = int64(len(a.body))
		a.stream = bytes.NewReader(a.body)
	}
	h := c.w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	if a.disposition != "" {
		h.Set("Content-Disposition", a.disposition)
	}
	c.w.WriteHeader(orDefault(a.status, http.StatusOK))
	if slow != nil {
		c.writeSlowly(a.stream, orDefault(slow.Delay, slowBodyStep))
		return
	}
	io.Copy(c.w, a.stream)
}

func (c *call) writeSlowly(body io.Reader, step time.Duration) {
	flusher := http.NewResponseController(c.w)
	var one [1]byte
	for {
		if _, err := io.ReadFull(body, one[:]); err != nil {
			return
		}
		flusher.Flush() // what came before; the first time, the headers
		c.pause(step)
		if _, err := c.w.Write(one[:]); err != nil {
			return
		}
	}
}

func clientIP(r *http.Request) netip.Addr {
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	return netip.IPv4Unspecified()
}
