package statuspage

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/publisher"
)

// This file needs no other test file, so that .ci/fuzz can build it without them.

// spoken is a publisher of which all that others have a say in is one text, and all that they count one number.
type spoken struct {
	text   string
	number int64
}

var fuzzNow = time.Date(2026, 11, 22, 15, 30, 0, 0, time.UTC)

func (s spoken) at() time.Time { return time.UnixMilli(s.number % 2.5e14).UTC() }

func (s spoken) Status() publisher.Status {
	refused := &wechat.Error{Op: wechat.OpMint, Class: wechat.Permanent, Code: 40164, Msg: s.text, Host: s.text, Hint: "do " + s.text}
	fault := &wechat.Error{Op: wechat.OpMint, Host: s.text, Err: errors.New(s.text), Hint: "go to " + s.text}
	account := publisher.AccountStatus{
		AppID: "wx1", Endpoint: "stable_token", TokenID: "9f86d081884c7d65", Generation: uint64(s.number), Reason: wire.Reason(s.text), MintedBy: s.text,
		MintedAt: s.at(), ExpiresAt: fuzzNow.Add(time.Duration(s.number)), Live: true, Failures: int(s.number), LastErr: refused, RetryAt: s.at(),
		ForcedLeft: int(s.number), AskedLeft: int(s.number),
	}
	other := account
	other.AppID, other.LastErr, other.Unstored = "wx2", fault, true
	return publisher.Status{At: fuzzNow, Publisher: s.text, Connected: true, StoreErr: errors.New(s.text), Accounts: []publisher.AccountStatus{account, other}}
}

func (s spoken) History(context.Context, string) ([]publisher.Minted, error) {
	return []publisher.Minted{{ID: s.text, Generation: uint64(s.number), Reason: wire.Reason(s.text), By: s.text, At: s.at()}}, nil
}

func (s spoken) Surroundings(context.Context) publisher.Surroundings {
	return publisher.Surroundings{
		Peers:  []publisher.Peer{{Publisher: s.text, Version: s.text, Started: s.at(), Requests: int(s.number)}},
		Server: publisher.Server{Name: s.text, URL: s.text, Version: s.text, Cluster: s.text, Others: []string{s.text}, RTT: time.Duration(s.number)},
		Buckets: []publisher.Bucket{{Name: s.text, Leader: s.text, Replicas: 3, Current: int(s.number), Behind: []string{s.text}},
			{Name: s.text, Err: errors.New(s.text)}},
	}
}

// What a viewer asks for, in the query and in Accept-Language, and what WeChat, other publishers and NATS say of themselves.
func FuzzPage(f *testing.F) {
	f.Add("", "zh-CN,zh;q=0.9,en;q=0.8", `"><script>alert(1)</script><img src=x onerror=y>{{.}}`, int64(1795361400123))
	f.Add("q=%22%3E%3Cscript%3E&page=2&lang=zh", "en;q=NaN,zh;q=1e400,;;,", "javascript:alert(1)", int64(-1))
	f.Add("page=-9223372036854775808&q="+strings.Repeat("中+", 90), "*", "\xff\x00", int64(-1<<63))
	f.Add("lang=en&lang=zh&q=%ff&q=%zz;&page=9223372036854775807", "zh;q=-1", "</style><!--", int64(1<<63-1))
	f.Fuzz(func(t *testing.T, rawQuery, accept, text string, number int64) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.RawQuery = rawQuery
		r.Header.Set("Accept-Language", accept)
		checkQuery(t, r)
		shown := shows(t, spoken{text, number}, r)
		if !utf8.ValidString(shown) && utf8.ValidString(text) {
			t.Errorf("%q, %q: no UTF-8", rawQuery, text)
		}
		if text != "" && len(text) != 56 { // else other elements are shown, or it is cut
			checkSameMarks(t, shows(t, spoken{strings.Repeat("x", 57), number}, r), shown, text)
		}
	})
}

// shows is the page, of which the stream of changes must be the same.
func shows(t *testing.T, src Source, r *http.Request) string {
	t.Helper()
	page, mux := New(src), http.NewServeMux()
	defer page.Close()
	page.Handle(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	s := &stream{page: page, query: askedFor(r), sent: make(map[string]string)}
	data, isData := strings.CutPrefix(s.news(context.Background()), "data: ")
	data, ends := strings.CutSuffix(data, "\n\n")
	var c change
	if !isData || !ends || strings.ContainsAny(data, "\r\n") || json.Unmarshal([]byte(data), &c) != nil || len(c.Parts) != len(parts) {
		t.Errorf("the stream begins with %q", data)
	}
	return w.Body.String()
}

// checkSameMarks checks that a text puts nothing into the page that is more than text.
func checkSameMarks(t *testing.T, plain, shown, text string) {
	t.Helper()
	for _, mark := range []string{"<", ">", `"`, "'"} {
		if a, b := strings.Count(plain, mark), strings.Count(shown, mark); a != b {
			t.Errorf("%q makes %d %s of %d", text, b, mark, a)
		}
	}
}

// checkQuery checks that the page's links lead to what was asked for.
func checkQuery(t *testing.T, r *http.Request) {
	t.Helper()
	q := askedFor(r)
	if q.page < 1 || utf8.RuneCountInString(q.search) > maxSearch || q.lang != langEN && q.lang != langZH {
		t.Errorf("%q is %+v", r.URL.RawQuery, q)
	}
	target := q.link("/events")
	u, err := url.Parse(target)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	if again := askedFor(&http.Request{URL: u, Header: r.Header}); again != q {
		t.Errorf("%q is %+v, its link %s is %+v", r.URL.RawQuery, q, target, again)
	}
}
