package statuspage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/publisher"
)

// fleet is a publisher as it might be.
type fleet struct {
	mu     sync.Mutex
	status publisher.Status
	around publisher.Surroundings
	minted []publisher.Minted
	err    error // of History

	statuses, surroundings, histories atomic.Int64 // that were asked for
}

var now = time.Date(2026, 11, 22, 15, 30, 0, 0, time.UTC)

func newFleet(accounts ...publisher.AccountStatus) *fleet {
	return &fleet{status: publisher.Status{At: now, Publisher: "host-a/1", Connected: true, Accounts: accounts}}
}

func (f *fleet) Status() publisher.Status {
	f.statuses.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

func (f *fleet) Surroundings(context.Context) publisher.Surroundings {
	f.surroundings.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.around
}

func (f *fleet) History(_ context.Context, appid string) ([]publisher.Minted, error) {
	f.histories.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.minted, f.err
}

// change changes what the publisher is like.
func (f *fleet) change(how func(f *fleet)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how(f)
}

// setAccounts replaces the accounts; a status that was given away stays as it is.
func (f *fleet) setAccounts(accounts ...publisher.AccountStatus) {
	f.change(func(f *fleet) { f.status.Accounts = accounts })
}

func healthy(appid string, left time.Duration) publisher.AccountStatus {
	minted := now.Add(left - 2*time.Hour)
	return publisher.AccountStatus{
		AppID: appid, Endpoint: "stable_token", TokenID: wire.TokenID(appid), Generation: 1795361400123, Revision: 1, Reason: wire.ReasonScheduled,
		MintedBy: "host-b/2", MintedAt: minted, ExpiresAt: minted.Add(2 * time.Hour), Live: left > 0, ForcedLeft: 17, AskedLeft: 9,
	}
}

func failing(a publisher.AccountStatus, err error) publisher.AccountStatus {
	a.LastErr, a.Failures, a.RetryAt = err, 3, now.Add(45*time.Second)
	return a
}

func refusal(code int, msg string) *wechat.Error {
	return &wechat.Error{Op: wechat.OpMint, Class: wechat.Permanent, Code: code, Msg: msg, Host: "api.weixin.qq.com", Hint: "do something about it"}
}

var errNATS = errors.New("not connected to NATS")

// served is a page's handler.
func served(t *testing.T, src Source) (*Page, http.Handler) {
	t.Helper()
	page, mux := New(src), http.NewServeMux()
	page.Handle(mux)
	t.Cleanup(page.Close)
	return page, mux
}

func get(h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	return call(h, http.MethodGet, target, header...)
}

func call(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// has checks that the text holds all of the parts, and in this order.
func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		at := strings.Index(rest, part)
		if at < 0 {
			t.Errorf("no %q where it should be in %s", part, text)
			return
		}
		rest = rest[at+len(part):]
	}
}

func hasNot(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("there is %q in %s", part, text)
		}
	}
}

func many(n int) (accounts []publisher.AccountStatus) {
	for i := range n {
		accounts = append(accounts, healthy(fmt.Sprintf("wx%016d", i), time.Duration(i+1)*time.Second))
	}
	return accounts
}
