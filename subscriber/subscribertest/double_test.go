package subscribertest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/subscriber"
	"github.com/wxtoken/wxtoken/subscriber/subscribertest"
)

const appid = "wx0123456789abcdef"

// want fails unless the source holds that token and no error.
func want(t *testing.T, src *subscriber.Source, token string) subscriber.Token {
	t.Helper()
	tok, err := src.Token()
	if err != nil || tok.AccessToken() != token {
		t.Fatalf("Token() = %q, %v; want %q", tok.AccessToken(), err, token)
	}
	return tok
}

func TestSet(t *testing.T) {
	d := subscribertest.New(t, appid)
	want(t, d.Source(), "token-1")
	set := d.Set("mine")
	if got := want(t, d.Source(), "mine"); got != set || got.AppID != appid {
		t.Errorf("Set returned %v, Token %v", set, got)
	}
	d.Set("")
	want(t, d.Source(), "token-3")
	if err := d.Source().Err(); err != nil {
		t.Errorf("Err() = %v", err)
	}
	if got := d.Reports(); len(got) != 0 {
		t.Errorf("Reports() = %+v without a refresh", got)
	}
}

func TestSetForEndsToTheMillisecond(t *testing.T) {
	subscribertest.Bubble(t, appid, func(t *testing.T, d *subscribertest.Double) {
		d.OnRefresh(subscribertest.NoPublisher())
		before := time.Now()
		d.SetFor("short", 1500*time.Millisecond)
		want(t, d.Source(), "short")
		time.Sleep(1400*time.Millisecond - time.Since(before))
		want(t, d.Source(), "short")
		time.Sleep(200 * time.Millisecond)
		if _, err := d.Source().Token(); err != subscriber.ErrExpired {
			t.Errorf("Token() after its end: %v", err)
		}
	})
}

func TestExpire(t *testing.T) {
	d := subscribertest.New(t, appid)
	d.Expire()
	tok, err := d.Source().Token()
	if err != subscriber.ErrExpired || tok.AccessToken() != "token-1" {
		t.Fatalf("Token() after Expire = %v, %v", tok, err)
	}
	if _, err := d.Source().Refresh(t.Context(), tok); !errors.Is(err, subscriber.ErrNoPublisher) {
		t.Errorf("Refresh after Expire: %v", err)
	}
	d.Set("healed")
	want(t, d.Source(), "healed")
}

// The source asks by itself when its token has ended. A test that went on at once met that request, and its answer, instead
// of the one that it had set.
func TestOnRefreshRightAfterExpire(t *testing.T) {
	for range 20 {
		d := subscribertest.New(t, appid)
		d.Expire()
		d.OnRefresh(subscribertest.Replace("healed"))
		expired, _ := d.Source().Token()
		if tok, err := d.Source().Refresh(t.Context(), expired); err != nil || tok.AccessToken() != "healed" {
			t.Fatalf("Refresh = %v, %v", tok, err)
		}
	}
}

func TestReport(t *testing.T) {
	d := subscribertest.New(t, appid, subscriber.WithClient("orders/pod-7"))
	old := want(t, d.Source(), "token-1")
	newer, err := d.Source().Refresh(t.Context(), old)
	if err != nil || newer.AccessToken() != "token-2" {
		t.Fatalf("Refresh = %v, %v", newer, err)
	}
	again, err := d.Source().Refresh(t.Context(), old)
	if err != nil || again != newer {
		t.Errorf("Refresh of a replaced token = %v, %v", again, err)
	}
	reports := d.Reports()
	if len(reports) != 1 || reports[0] != (subscribertest.Report{Token: "token-1", ID: old.ID, Client: "orders/pod-7"}) {
		t.Errorf("Reports() = %+v", reports)
	}
}

func TestAnswers(t *testing.T) {
	until := time.Now().Add(time.Hour).Truncate(time.Second)
	for name, c := range map[string]struct {
		answer subscribertest.Answer
		check  func(subscriber.Token, error) bool
	}{
		"replaced":     {subscribertest.Replace("mine"), func(tok subscriber.Token, err error) bool { return err == nil && tok.AccessToken() == "mine" }},
		"still valid":  {subscribertest.StillValid(), func(tok subscriber.Token, err error) bool { return err == nil && tok.AccessToken() == "token-1" }},
		"no publisher": {subscribertest.NoPublisher(), func(_ subscriber.Token, err error) bool { return errors.Is(err, subscriber.ErrNoPublisher) }},
		"refused": {subscribertest.Refused(40164, "invalid ip"), func(_ subscriber.Token, err error) bool {
			refused, ok := errors.AsType[*subscriber.RefusedError](err)
			return ok && *refused == subscriber.RefusedError{ErrCode: 40164, ErrMsg: "invalid ip"}
		}},
		"budget spent": {subscribertest.BudgetSpent(until), func(_ subscriber.Token, err error) bool {
			spent, ok := errors.AsType[*subscriber.BudgetSpentError](err)
			return ok && spent.RetryAt.Sub(until).Abs() < time.Minute
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := subscribertest.New(t, appid)
			d.OnRefresh(c.answer)
			refused, _ := d.Source().Token()
			if tok, err := d.Source().Refresh(t.Context(), refused); !c.check(tok, err) {
				t.Errorf("Refresh = %v, %v", tok, err)
			}
		})
	}
}

func TestAnswersInTurn(t *testing.T) {
	subscribertest.Bubble(t, appid, func(t *testing.T, d *subscribertest.Double) {
		d.OnRefresh(subscribertest.Unavailable(), subscribertest.StillValid(), subscribertest.Replace(""))
		first := want(t, d.Source(), "token-1")
		if tok, err := d.Source().Refresh(t.Context(), first); err != nil || tok != first {
			t.Errorf("first Refresh = %v, %v", tok, err)
		}
		for _, token := range []string{"token-2", "token-3"} {
			refused, _ := d.Source().Token()
			if tok, err := d.Source().Refresh(t.Context(), refused); err != nil || tok.AccessToken() != token {
				t.Errorf("Refresh = %v, %v; want %s", tok, err, token)
			}
		}
		if n := len(d.Reports()); n != 4 {
			t.Errorf("%d reports, want 4", n)
		}
	})
}

func TestUnavailableUntilTheContextEnds(t *testing.T) {
	subscribertest.Bubble(t, appid, func(t *testing.T, d *subscribertest.Double) {
		d.OnRefresh(subscribertest.Unavailable())
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		refused, _ := d.Source().Token()
		_, err := d.Source().Refresh(ctx, refused)
		if !errors.Is(err, subscriber.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Refresh: %v", err)
		}
	})
}

func TestSourceAsksByItselfInFakeTime(t *testing.T) {
	subscribertest.Bubble(t, appid, func(t *testing.T, d *subscribertest.Double) {
		time.Sleep(2*time.Hour - time.Second)
		want(t, d.Source(), "token-2")
		if n := len(d.Reports()); n != 1 {
			t.Errorf("%d reports, want 1", n)
		}
	})
}

func TestSourcesOfOthers(t *testing.T) {
	d := subscribertest.New(t, appid)
	src, err := subscriber.Open(t.Context(), d.Conn(), appid)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	want(t, src, "token-1")
}

func TestManyAtOnce(t *testing.T) {
	var all sync.WaitGroup
	for range 8 {
		d := subscribertest.New(t, appid)
		all.Go(func() {
			for range 20 {
				refused, _ := d.Source().Token()
				d.Refuse(40001)
				if _, err := d.Source().Refresh(context.Background(), refused); err != nil {
					t.Errorf("Refresh: %v", err)
				}
				_ = d.Reports()
			}
		})
	}
	all.Wait()
}

// BenchmarkNew measures all that a test pays, New and the end, beside a bare NATS server with JetStream and a connection.
func BenchmarkNew(b *testing.B) {
	for _, by := range []struct {
		name  string
		start func(testing.TB)
	}{{"ours", func(t testing.TB) { subscribertest.New(t, appid) }}, {"server", func(t testing.TB) { natstest.Start(t).Connect() }}} {
		b.Run("by="+by.name, func(b *testing.B) {
			for b.Loop() {
				one := &oneTest{TB: b}
				by.start(one)
				one.end()
			}
		})
	}
}

// oneTest is a test that ends before the one that it is part of.
type oneTest struct {
	testing.TB
	cleanups []func()
}

func (t *oneTest) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *oneTest) end() {
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	run := func() {
		one := &oneTest{TB: t}
		d := subscribertest.New(one, appid)
		d.Set("")
		one.end()
	}
	run() // what stays for the process is there now
	before := runtime.NumGoroutine()
	for range 10 {
		run()
	}
	for limit := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(limit); {
		runtime.Gosched() // some goroutines end a moment after they were told to
	}
	if after := runtime.NumGoroutine(); after > before {
		stacks := make([]byte, 1<<16)
		t.Errorf("%d goroutines before, %d after:\n%s", before, after, stacks[:runtime.Stack(stacks, true)])
	}
}

// verdict is a test whose end by Fatal is what another test wants.
type verdict struct {
	testing.TB
	fatal string
}

func (v *verdict) Fatal(args ...any) {
	v.fatal = fmt.Sprint(args...)
	runtime.Goexit()
}

func TestNewInABubbleSaysWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &verdict{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			subscribertest.New(v, appid)
		}()
		<-done
		if !strings.Contains(v.fatal, "use Bubble") {
			t.Errorf("New in a bubble: %q", v.fatal)
		}
	})
}
