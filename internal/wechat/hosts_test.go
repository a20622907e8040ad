package wechat

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// fleet is WeChat's hosts in one process: which were called, and which are down.
type fleet struct {
	mu    sync.Mutex
	down  map[string]bool
	calls []string
	body  string
}

func (f *fleet) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, r.URL.Host)
	if f.down[r.URL.Host] {
		return nil, errors.New("down")
	}
	return response(f.body), nil
}

func (f *fleet) set(host string, down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down[host] = down
}

// took returns the hosts that were called since it was last asked.
func (f *fleet) took() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := strings.Join(f.calls, " ")
	f.calls = nil
	return calls
}

func newFleet(t *testing.T) (*fleet, *Account) {
	f := &fleet{down: map[string]bool{}, body: minted}
	return f, newAccount(t, StableToken, Config{Bases: []string{"https://a", "https://b", "https://c"}, Transport: f})
}

func mints(a *Account, n int) {
	for range n {
		a.Mint(context.Background(), false)
	}
}

func TestFailoverAndReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, a := newFleet(t)
		expect := func(when, want string) {
			t.Helper()
			if got := f.took(); got != want {
				t.Errorf("%s: called %q, want %q", when, got, want)
			}
		}
		f.set("a", true)
		mints(a, 3)
		expect("a goes down", "a b b")

		time.Sleep(retryFirst - time.Nanosecond)
		mints(a, 1)
		expect("almost a minute later", "b")
		time.Sleep(time.Nanosecond)
		mints(a, 3)
		expect("a minute later", "a b b")

		f.set("b", true)
		mints(a, 3)
		expect("b goes down", "b c c")
		f.set("c", true)
		mints(a, 5)
		expect("all are down", "c a b c a")

		f.set("a", false)
		f.set("b", false)
		mints(a, 2)
		expect("a and b are back, it is b's turn", "b b")
		time.Sleep(retryFirst)
		mints(a, 3)
		expect("a minute later", "a a a")
	})
}

func TestAccountsShareWhatIsKnownOfHosts(t *testing.T) {
	f, a := newFleet(t)
	b := a.client.Account("wx1", secret.New("x"), PlainToken)
	f.body = `{"access_token":"84_new","expires_in":7200,"ip_list":[]}`
	f.set("a", true)
	mints(a, 1)
	b.Check(context.Background(), secret.New("x"))
	mints(b, 1)
	if got := f.took(); got != "a b b" {
		t.Errorf("called %q", got)
	}
}

func TestAnErrcodeChangesNoHost(t *testing.T) {
	for _, body := range []string{`{"errcode":-1}`, `{"errcode":40164}`, `{"errcode":45009}`, `{"errcode":99999}`} {
		f, a := newFleet(t)
		f.body = body
		mints(a, 3)
		if got := f.took(); got != "a a a" {
			t.Errorf("%s: called %q", body, got)
		}
	}
}

func TestAnErrcodeFromTheFirstHostBringsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, a := newFleet(t)
		f.set("a", true)
		mints(a, 1)
		f.set("a", false)
		f.body = `{"errcode":40164}`
		time.Sleep(retryFirst)
		mints(a, 2)
		if got := f.took(); got != "a a a" {
			t.Errorf("called %q", got)
		}
	})
}

// hang is a transport whose hosts never answer.
var hang = roundTrip(func(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
})

func TestWhoGaveUp(t *testing.T) {
	tests := map[string]struct {
		ctx     func() (context.Context, context.CancelFunc)
		moves   bool
		is      error
		elapsed time.Duration
	}{
		"the attempt timed out": {
			func() (context.Context, context.CancelFunc) { return context.Background(), func() {} },
			true, context.DeadlineExceeded, 10 * time.Second},
		"the caller cancelled": {
			func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancelCause(context.Background())
				time.AfterFunc(time.Second, func() { cancel(errors.New("why")) })
				return ctx, func() { cancel(nil) }
			}, false, context.Canceled, time.Second},
		"the caller's deadline passed": {
			func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(context.Background(), 2*time.Second)
			}, true, context.DeadlineExceeded, 2 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t, PlainToken, Config{Bases: []string{"https://a", "https://b"}, Transport: hang})
				ctx, cancel := test.ctx()
				defer cancel()
				start := time.Now()
				_, err := a.Mint(ctx, false)
				e := asError(t, err)
				if !errors.Is(e, test.is) || !e.Ambiguous() || time.Since(start) != test.elapsed {
					t.Errorf("%v after %v, ambiguous %v", e, time.Since(start), e.Ambiguous())
				}
				if moved := a.client.hosts.current != 0; moved != test.moves {
					t.Errorf("moved to the next host: %v", moved)
				}
			})
		})
	}
}

func TestEndedContextSendsNothing(t *testing.T) {
	f, a := newFleet(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := a.Mint(ctx, false)
	e := asError(t, err)
	if got := f.took(); got != "" || e.Ambiguous() || !errors.Is(e, context.Canceled) {
		t.Errorf("called %q, %v, ambiguous %v", got, e, e.Ambiguous())
	}
}

// Several attempts that fail together at one host are one reason to move on, not several.
func TestFailuresTogetherMoveOnOnce(t *testing.T) {
	_, a := newFleet(t)
	h := a.client.hosts
	first, second := h.next(time.Now()), h.next(time.Now())
	h.failed(first, time.Now())
	h.failed(second, time.Now())
	if got := h.next(time.Now()).base.Host; got != "b" {
		t.Errorf("moved to %s", got)
	}
}

func TestManyAtOnce(t *testing.T) {
	f, a := newFleet(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 50 {
				f.set("a", (i+j)%3 == 0)
				mints(a, 1)
			}
		})
	}
	wg.Wait()
}
