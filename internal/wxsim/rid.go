package wxsim

import (
	"net/url"
	"slices"
	"sync"
	"time"
)

// keptFailures is how many failed calls openapi/rid/get knows about.
const keptFailures = 10_000

const ridLife = 7 * 24 * time.Hour

// failure is a refused call, without its secrets.
type failure struct {
	rid      string
	appid    string
	at       time.Time
	took     time.Duration
	query    string
	response string
	ip       string
}

// failures remembers the last refused calls: a ring, and where in it a rid stands.
type failures struct {
	mu   sync.Mutex
	list []failure
	next int
	at   map[string]int
}

func (f *failures) add(c *call, rid string, response []byte) {
	n := failure{
		rid: rid, appid: c.owner().appid, at: c.begun, took: time.Since(c.begun),
		query: redacted(c.query), response: string(response), ip: c.ip.String(),
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at == nil {
		f.at = make(map[string]int)
	}
	if len(f.list) < keptFailures {
		f.list = append(f.list, failure{})
	}
	delete(f.at, f.list[f.next].rid)
	f.list[f.next] = n
	f.at[rid] = f.next
	f.next = (f.next + 1) % keptFailures
}

func (f *failures) get(rid string) (failure, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, ok := f.at[rid]
	if !ok {
		return failure{}, false
	}
	return f.list[i], true
}

// redacted is the query without what nobody may read.
func redacted(query url.Values) string {
	shown := make(url.Values, len(query))
	for key, values := range query {
		if slices.Contains([]string{"access_token", "secret", "appsecret"}, key) {
			values = []string{"***"}
		}
		shown[key] = values
	}
	text, _ := url.QueryUnescape(shown.Encode())
	return text[:min(len(text), 1000)]
}

// serveRidGet is POST /cgi-bin/openapi/rid/get: what is known about a failed call of the same account.
func serveRidGet(c *call) reply {
	var body struct {
		Rid string `json:"rid"`
	}
	if !c.readJSON(&body) {
		return c.refuse(CodeDataFormat)
	}
	if code := c.checkToken(); code != 0 {
		return c.refuse(code)
	}
	f, ok := c.s.failures.get(body.Rid)
	switch {
	case body.Rid == "":
		return c.refuse(CodeRidMissing)
	case !ok:
		return c.refuse(CodeRidNotFound)
	case f.appid != c.account.appid:
		return c.refuse(CodeRidOfAnother)
	case time.Since(f.at) > ridLife:
		return c.refuse(CodeRidExpired)
	}
	type request struct {
		InvokeTime   int64  `json:"invoke_time"`
		CostInMS     int64  `json:"cost_in_ms"`
		RequestURL   string `json:"request_url"`
		RequestBody  string `json:"request_body"`
		ResponseBody string `json:"response_body"`
		ClientIP     string `json:"client_ip"`
	}
	return c.json(struct {
		errorBody
		Request request `json:"request"`
	}{errorBody{0, "ok"}, request{f.at.Unix(), f.took.Milliseconds(), f.query, "", f.response, f.ip}})
}
