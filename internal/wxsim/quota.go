package wxsim

import "time"

// limits of one endpoint. Negative means none.
type limits struct{ perMinute, perDay int }

// counter counts calls within one window.
type counter struct {
	window int64
	used   int
}

func (c *counter) in(window int64) int {
	if c.window != window {
		*c = counter{window: window}
	}
	return c.used
}

// quota counts the calls of one account on one endpoint.
type quota struct{ minute, day counter }

// take counts a call, or gives the code that refuses it. A refused call counts nothing.
func (q *quota) take(now time.Time, s settings, l limits) int {
	if reached(q.minute.in(s.minute(now)), l.perMinute) {
		return CodeMinuteQuota
	}
	if reached(q.day.in(s.day(now)), l.perDay) {
		return CodeDayQuota
	}
	q.minute.used++
	q.day.used++
	return 0
}

func reached(used, limit int) bool { return limit >= 0 && used >= limit }

// quotas are all that an account has. The window of clears is a month.
type quotas struct {
	token, stable, force, ticket quota
	clears                       counter
}

// clear is what clear_quota does, or the code that refuses it. The number of clears itself is never cleared.
func (q *quotas) clear(now time.Time, s settings) int {
	if reached(q.clears.in(s.month(now)), s.knobs.clearPerMonth()) {
		return CodeClearQuotaLimit
	}
	q.clears.used++
	*q = quotas{clears: q.clears}
	return 0
}

// of finds what counts the calls of a path.
func (q *quotas) of(path string, k Knobs) (*quota, limits, bool) {
	switch path {
	case pathToken:
		return &q.token, k.tokenLimits(), true
	case pathStable:
		return &q.stable, k.stableLimits(), true
	case pathTicket:
		return &q.ticket, k.ticketLimits(), true
	}
	return nil, limits{}, false
}

type quotaAnswer struct {
	ErrCode   int         `json:"errcode"`
	ErrMsg    string      `json:"errmsg"`
	Quota     quotaFigure `json:"quota"`
	RateLimit *rateFigure `json:"rate_limit,omitempty"`
}

type quotaFigure struct {
	DailyLimit int `json:"daily_limit"`
	Used       int `json:"used"`
	Remain     int `json:"remain"`
}

type rateFigure struct {
	CallCount     int   `json:"call_count"`
	RefreshSecond int64 `json:"refresh_second"`
}

// serveClearQuota is POST /cgi-bin/clear_quota, whose caller has a token.
func serveClearQuota(c *call) reply {
	var body struct {
		AppID string `json:"appid"`
	}
	if !c.readJSON(&body) {
		return c.refuse(CodeDataFormat)
	}
	if code := c.checkToken(); code != 0 {
		return c.refuse(code)
	}
	if body.AppID == "" {
		return c.refuse(CodeAppIDMissing)
	}
	if body.AppID != c.account.appid {
		return c.refuse(CodeInvalidAppID)
	}
	return c.clearQuota()
}

// serveClearQuotaV2 is POST /cgi-bin/clear_quota/v2, whose caller has the secret: it is made for those who can mint no
// token any more.
func serveClearQuotaV2(c *call) reply {
	if c.malformed {
		return c.refuse(CodeDataFormat)
	}
	if code := c.checkCredentials(CodeInvalidSecret); code != 0 {
		return c.refuse(code)
	}
	return c.clearQuota()
}

func (c *call) clearQuota() reply {
	c.account.mu.Lock()
	code := c.account.quotas.clear(time.Now(), c.account.settings)
	c.account.mu.Unlock()
	if code != 0 {
		return c.refuse(code)
	}
	return c.ok()
}

// serveQuotaGet is POST /cgi-bin/openapi/quota/get. It knows the paths that the simulator counts.
func serveQuotaGet(c *call) reply {
	var body struct {
		Path string `json:"cgi_path"`
	}
	if !c.readJSON(&body) {
		return c.refuse(CodeDataFormat)
	}
	if code := c.checkToken(); code != 0 {
		return c.refuse(code)
	}
	a := c.account
	a.mu.Lock()
	defer a.mu.Unlock()
	q, l, ok := a.quotas.of(body.Path, a.settings.knobs)
	if !ok {
		return c.refuse(CodePathNotFound)
	}
	now := time.Now()
	used := q.day.in(a.settings.day(now))
	figure := quotaFigure{DailyLimit: l.perDay, Used: used, Remain: max(0, l.perDay-used)}
	answer := quotaAnswer{ErrMsg: "ok", Quota: figure}
	if l.perMinute >= 0 {
		answer.RateLimit = &rateFigure{CallCount: l.perMinute, RefreshSecond: wholeSeconds(a.settings.scale(quotaMinute))}
	}
	return c.json(answer)
}
