package publisher

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

func TestWaitAfterAFailedMint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // at the beginning of a minute
		class := func(c wechat.Class) error { return &mintError{&wechat.Error{Class: c}} }
		for _, c := range []struct {
			name        string
			err         error
			failures    int
			left        time.Duration
			least, most time.Duration
		}{
			{"first", class(wechat.Transient), 1, time.Hour, 800 * time.Millisecond, time.Second},
			{"third", class(wechat.Transient), 3, time.Hour, 3200 * time.Millisecond, 4 * time.Second},
			{"hundredth", class(wechat.Transient), 100, time.Hour, 48 * time.Second, time.Minute},
			{"not of WeChat", errors.New("?"), 1, time.Hour, 800 * time.Millisecond, time.Second},
			{"20 s left", class(wechat.Transient), 100, 20 * time.Second, 4 * time.Second, 5 * time.Second},
			{"nearly dead", class(wechat.Transient), 100, time.Millisecond, leastPollWait, leastPollWait},
			{"dead", class(wechat.Transient), 100, 0, 12 * time.Second, 15 * time.Second},
			{"long dead", class(wechat.Transient), 1, -time.Hour, 800 * time.Millisecond, time.Second},
			{"minute quota", class(wechat.MinuteQuota), 9, time.Second, time.Minute, 61 * time.Second},
			{"day quota", class(wechat.DayQuota), 9, time.Second, 10 * time.Minute, 12 * time.Minute},
			{"human, first", class(wechat.Permanent), 1, 0, time.Minute, 72 * time.Second},
			{"human, later", class(wechat.Permanent), 9, 0, 10 * time.Minute, 10 * time.Minute},
		} {
			for range 100 {
				if got := waitAfter(c.err, c.failures, c.left, time.Now()); got < c.least || got > c.most {
					t.Errorf("%s: %v, want %v to %v", c.name, got, c.least, c.most)
				}
			}
		}
	})
}

func TestDoublingNeverOverflows(t *testing.T) {
	for failures, want := range map[int]time.Duration{0: 1, 1: 1, 2: 2, 3: 4, 4: 5, 1 << 40: 5} {
		if got := doubling(1, failures, 5); got != want {
			t.Errorf("after %d failures %d, want %d", failures, got, want)
		}
	}
}

func TestBudgetOfMintsByRequest(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var b budget
	for i := range askedMintsInARow {
		if err := b.spendAsked(now); err != nil {
			t.Fatalf("mint %d: %v", i, err)
		}
	}
	spent, ok := errors.AsType[*budgetSpentError](b.spendAsked(now.Add(time.Minute)))
	if !ok || !spent.retryAt.Equal(now.Add(5*time.Minute)) {
		t.Errorf("%+v", spent)
	}
	if err := b.spendAsked(spent.retryAt.Add(-time.Millisecond)); err == nil {
		t.Error("spent too early")
	}
	if err := b.spendAsked(spent.retryAt); err != nil {
		t.Error(err)
	}
	b.AskedFullAt = now.AddDate(1, 0, 0)
	if err := b.spendAsked(now); err != nil {
		t.Errorf("after one was spent by a clock that was ahead: %v", err)
	}
	if err := b.spendAsked(now); err == nil {
		t.Error("a clock that was ahead left more than one")
	}
	later := now.Add(24 * time.Hour)
	for i := range askedMintsInARow {
		if err := b.spendAsked(later); err != nil {
			t.Fatalf("a day later, mint %d: %v", i, err)
		}
	}
	if err := b.spendAsked(later); err == nil || !strings.Contains(err.Error(), "2026-11-23T12:05:00Z") {
		t.Errorf("a day later: %v", err)
	}
}

func TestBudgetOfForcedRefreshes(t *testing.T) {
	at := func(clock string) time.Time {
		t.Helper()
		v, err := time.ParseInLocation(time.DateTime, clock, beijing)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	var b budget
	start := at("2026-11-22 12:00:00")
	if err := b.spendForced(start); err != nil {
		t.Fatal(err)
	}
	spent, _ := errors.AsType[*budgetSpentError](b.spendForced(start.Add(29 * time.Second)))
	if spent == nil || !spent.retryAt.Equal(start.Add(30*time.Second)) {
		t.Errorf("within 30 s: %+v", spent)
	}
	for i := range forcedPerDay - 1 {
		if err := b.spendForced(start.Add(time.Duration(i+1) * forcedInterval)); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	spent, _ = errors.AsType[*budgetSpentError](b.spendForced(at("2026-11-22 23:59:59")))
	if spent == nil || !spent.retryAt.Equal(at("2026-11-23 00:00:00")) {
		t.Errorf("21st: %+v", spent)
	}
	if err := b.spendForced(at("2026-11-23 00:00:00")); err != nil || b.Forced != 1 {
		t.Errorf("the next day: %v, %+v", err, b)
	}
	b.ForcedAt = at("2027-11-23 00:00:00")
	if err := b.spendForced(at("2026-11-23 00:01:00")); err != nil || !b.ForcedAt.Equal(at("2026-11-23 00:01:00")) {
		t.Errorf("after a clock that was ahead: %v, %+v", err, b)
	}
	if got := nextMidnight(at("2026-12-31 23:30:00")); !got.Equal(at("2027-01-01 00:00:00")) {
		t.Errorf("midnight after New Year's Eve: %v", got)
	}
}

func TestASpentBudgetIsToldOnceAndLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s spentBudget
		if s.holdingBack(time.Now()) != nil {
			t.Error("spent from the beginning")
		}
		err := budgetSpentError{"forced refreshes", time.Now().Add(time.Hour)}
		if first, second := s.note(&err, time.Now()), s.note(new(err), time.Now()); !first || second {
			t.Errorf("news %v, again news %v", first, second)
		}
		if s.holdingBack(time.Now()) == nil {
			t.Error("not held back")
		}
		time.Sleep(budgetPause)
		if s.holdingBack(time.Now()) != nil {
			t.Error("held back for too long")
		}
		if !s.note(&budgetSpentError{"mints by request", time.Now().Add(time.Second)}, time.Now()) {
			t.Error("another budget is no news")
		}
		time.Sleep(time.Second)
		if s.holdingBack(time.Now()) != nil {
			t.Error("held back beyond its end")
		}
	})
}

// known makes an account that knows of a token which ends in left.
func known(endpoint wechat.Endpoint, life, left time.Duration) *account {
	now := time.Now()
	cfg := Config{RefreshAhead: 5 * time.Minute, MinRefreshInterval: 30 * time.Second}
	a := newAccount(&shared{cfg: cfg, clock: &clock{local: time.Now}}, Account{AppID: "wx1", Endpoint: endpoint})
	a.seen = stored{exists: true, revision: 7, Value: wire.Value{
		Token: secret.New("84_known"), ID: wire.TokenID("84_known"), ExpiresIn: life, MintedAt: now.Add(left - life), ExpiresAt: now.Add(left),
		Generation: 1000, Fence: 10,
	}}
	return a
}

func TestWhenATokenIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name         string
			endpoint     wechat.Endpoint
			ahead, every time.Duration
			life         time.Duration
			want         time.Duration // after the mint
		}{
			{"as configured", wechat.PlainToken, 20 * time.Minute, 0, 2 * time.Hour, 100 * time.Minute},
			{"stable_token rolls over late", wechat.StableToken, 20 * time.Minute, 0, 2 * time.Hour, 115 * time.Minute},
			{"half the life", wechat.PlainToken, 20 * time.Minute, 0, 10 * time.Minute, 5 * time.Minute},
			{"half of a second", wechat.StableToken, 20 * time.Minute, 0, time.Second, 500 * time.Millisecond},
			{"fixed rate", wechat.PlainToken, 20 * time.Minute, time.Hour, 2 * time.Hour, time.Hour},
			{"slow fixed rate", wechat.PlainToken, 20 * time.Minute, 3 * time.Hour, 2 * time.Hour, 100 * time.Minute},
		} {
			a := known(c.endpoint, c.life, c.life)
			a.cfg.RefreshAhead, a.cfg.RefreshEvery = c.ahead, c.every
			if got := a.dueAt(a.seen.Value).Sub(a.seen.MintedAt); got != c.want {
				t.Errorf("%s: %v after the mint, want %v", c.name, got, c.want)
			}
			for a.luck = 0; a.luck < 1; a.luck += 0.25 {
				ahead := a.ahead(a.seen.Value)
				if j := a.rotationJitter(); j <= 0 || j > ahead/50 {
					t.Errorf("%s: jitter %v of %v", c.name, j, ahead)
				}
			}
		}
	})
}

func TestWhenTheScheduleWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		in := func(d time.Duration) time.Time { return now.Add(d) }
		for _, c := range []struct {
			name   string
			change func(a *account)
			want   time.Duration
		}{
			{"by the token", func(a *account) {}, 55*time.Minute + 2*time.Second},
			{"nothing known", func(a *account) { a.seen = stored{}; a.firstRun = in(time.Minute) }, time.Minute},
			{"nothing known, failed", func(a *account) { a.seen = stored{}; a.retryAt = in(time.Second) }, time.Second},
			{"lost", func(a *account) { a.lost = true }, 0},
			{"lost, failed", func(a *account) { a.lost, a.retryAt = true, in(time.Second) }, time.Second},
			{"kept", func(a *account) { a.kept = true }, 0},
			{"doubted", func(a *account) { a.doubted, a.retryAt = 1, in(3*time.Second) }, 3 * time.Second},
			{"polling", func(a *account) { a.pollAt = in(56 * time.Minute) }, 56 * time.Minute},
		} {
			a := known(wechat.StableToken, 2*time.Hour, time.Hour)
			a.luck = 0
			a.firstRun = now
			c.change(a)
			if got := a.wakeAt(now).Sub(now); got != c.want {
				t.Errorf("%s: in %v, want %v", c.name, got, c.want)
			}
		}
		a := known(wechat.StableToken, 2*time.Hour, -time.Hour)
		if next := (timetable{a}).Next(now.Add(time.Hour)); !next.After(now.Add(time.Hour)) {
			t.Errorf("gocron is given %v, not after the last run", next)
		}
	})
}

func TestHowStableTokenIsPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name       string
			life, left time.Duration
			every      time.Duration
			want       time.Duration
		}{
			{"in the window", 2 * time.Hour, 4 * time.Minute, 0, 20 * time.Second},
			{"near the end", 2 * time.Hour, 8 * time.Second, 0, 2 * time.Second},
			{"at the end", 2 * time.Hour, time.Millisecond, 0, leastPollWait},
			{"dead", 2 * time.Hour, -time.Minute, 0, time.Second},
			{"a short life", 6 * time.Second, 3 * time.Second, 0, 750 * time.Millisecond},
			{"fixed rate", 2 * time.Hour, time.Hour, 10 * time.Minute, 10 * time.Minute},
			{"fixed rate reaches the window", 2 * time.Hour, time.Hour, 2 * time.Hour, 55*time.Minute + 2*time.Second},
		} {
			a := known(wechat.StableToken, c.life, c.left)
			a.luck = 0
			a.cfg.RefreshEvery = c.every
			if got := a.pollWait(a.seen.Value, time.Now()); got != c.want {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
	})
}

func TestWhatTheKeyIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		other := func(generation, fence uint64, left time.Duration) stored {
			return stored{exists: true, Value: wire.Value{ID: "other", ExpiresAt: now.Add(left), Generation: generation, Fence: fence}}
		}
		nothing := stored{}
		for _, c := range []struct {
			name       string
			left       time.Duration
			kept       bool
			current    stored
			want       string
			generation uint64
		}{
			{"nothing stored", time.Hour, false, nothing, "known", 1000},
			{"nothing stored, ours is dead", -1, false, nothing, "", 0},
			{"nothing stored, ours is kept", time.Hour, true, nothing, "known", 1000},
			{"newer", time.Hour, false, other(1001, 11, time.Hour), "", 0},
			{"newer, ours is kept", time.Hour, true, other(1001, 11, time.Hour), "known", 1000},
			{"newer, ours is kept but dead", -1, true, other(1001, 11, time.Hour), "", 0},
			{"older", time.Hour, false, other(999, 9, time.Hour), "known", 1000},
			{"older by generation, newer by fence", time.Hour, false, other(999, 11, time.Hour), "other", 1001},
			{"the same, but dead", time.Hour, false, other(999, 11, -1), "known", 1000},
			{"older, ours is dead", -1, false, other(999, 9, time.Hour), "other", 1001},
			{"older, both are dead", -1, false, other(999, 9, -1), "", 0},
		} {
			a := known(wechat.PlainToken, 2*time.Hour, c.left)
			a.kept = c.kept
			a.seen.ID = "known"
			v, isMissing := a.missing(c.current)
			if isMissing != (c.want != "") || isMissing && (v.ID != c.want || v.Generation != c.generation) {
				t.Errorf("%s: %s of generation %d, %v", c.name, v.ID, v.Generation, isMissing)
			}
		}
	})
}

// A token was kept while NATS was away for longer than it lived, and another publisher stored the next one. The account
// then knew the dead one for ever, and its schedule ran a thousand times a second.
func TestAKeptTokenThatDiedGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := known(wechat.PlainToken, 2*time.Hour, -time.Minute)
		a.kept = true
		theirs := stored{exists: true, Value: wire.Value{ID: "theirs", ExpiresIn: 2 * time.Hour, ExpiresAt: time.Now().Add(2 * time.Hour), Generation: 1001}}
		a.note(theirs)
		if a.kept || a.seen.ID != "theirs" || a.isDue() {
			t.Errorf("kept %v, knows %s, due %v", a.kept, a.seen.ID, a.isDue())
		}
	})
}

func TestBatchAnswersEachAskOnce(t *testing.T) {
	answers := make(map[string][]answer)
	wish := func(name string, reason wire.Reason, id string) *ask {
		return &ask{reason: reason, id: id, answer: func(ans answer) { answers[name] = append(answers[name], ans) }}
	}
	b := &batch{asks: []*ask{
		wish("schedule", wire.ReasonScheduled, ""),
		wish("operator", wire.ReasonManual, ""),
		wish("service", wire.ReasonReported, "a"),
	}}
	if !b.has(wire.ReasonManual) || b.isOnly(wire.ReasonManual) {
		t.Error("has or isOnly is wrong")
	}
	if n := b.answerIf(is(wire.ReasonManual), answer{outcome: wire.TooSoon}); n != 1 || b.has(wire.ReasonManual) {
		t.Errorf("%d answered", n)
	}
	b.answerAll(answer{err: errStopping})
	b.answerAll(answer{outcome: wire.Replaced})
	if !b.empty() || len(answers) != 3 {
		t.Errorf("%v", answers)
	}
	for name, got := range answers {
		if len(got) != 1 || (name == "operator") != (got[0].outcome == wire.TooSoon) {
			t.Errorf("%s was answered %v", name, got)
		}
	}
}

// A mint that got no answer may have ended every token before it, also one that a late writer stores only now.
func TestDoubtOutlivesALateWritersToken(t *testing.T) {
	for fence, doubtful := range map[uint64]bool{6: true, 8: false} {
		a := known(wechat.PlainToken, 2*time.Hour, time.Hour)
		a.schedule = newSchedule(slog.New(slog.DiscardHandler))
		a.doubt(7)
		late := a.seen
		late.ID, late.Generation, late.Fence = "fedcba9876543210", late.Generation+1, fence
		a.observe(late)
		if a.seen.ID != late.ID || a.isDoubted() != doubtful {
			t.Errorf("fence %d: holds %s, doubted %v", fence, a.seen.ID, a.isDoubted())
		}
	}
}

// Leases and budgets that version 1 wrote, which a later one finds in the store.
func TestStateOfVersion1IsRead(t *testing.T) {
	const written = `{"owner":"host-a/1","nonce":"n1","since":"2026-11-22T12:00:00Z"}`
	l := lease{nonce: "n1"}
	if !l.wrote(bus.Entry{Value: []byte(written)}) || (&lease{nonce: "n2"}).wrote(bus.Entry{Value: []byte(written)}) {
		t.Error("the nonce of a lease isn't read")
	}
	spent := budgets{map[string][]byte{budgetKey("wx1"): []byte(
		`{"asked_full_at":"2026-11-22T12:10:00Z","forced_at":"2026-11-22T12:00:00Z","forced_day":"2026-11-22","forced":3}`)}}
	b := spent.of("wx1")
	if forced, asked := b.left(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)); forced != 17 || asked != 8 {
		t.Errorf("%d forced refreshes and %d mints left of %+v", forced, asked, b)
	}
}
