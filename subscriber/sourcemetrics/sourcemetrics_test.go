package sourcemetrics_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxtoken/wxtoken/subscriber"
	"github.com/wxtoken/wxtoken/subscriber/sourcemetrics"
	"github.com/wxtoken/wxtoken/subscriber/subscribertest"
)

const appid = "wx0123456789abcdef"

// gathered is series → value.
func gathered(t *testing.T, from prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.Metric {
			var name strings.Builder
			name.WriteString(f.GetName())
			for _, l := range m.Label {
				name.WriteString(" " + l.GetValue())
			}
			values[name.String()] = m.GetGauge().GetValue()
		}
	}
	return values
}

func TestSourcesTellHowTheyAre(t *testing.T) {
	d := subscribertest.New(t, appid)
	src := d.Source()
	registry := prometheus.NewRegistry()
	registry.MustRegister(sourcemetrics.New(src))
	d.SetFor("84_secret", time.Hour)
	got := gathered(t, registry)
	if left := got["wxtoken_source_token_expires_in_seconds "+appid]; left < 3000 || left > 3600 || got["wxtoken_source_ok "+appid] != 1 || len(got) != 2 {
		t.Errorf("well: %v", got)
	}
	d.Expire()
	got = gathered(t, registry)
	if got["wxtoken_source_problem "+appid+" expired"] != 1 || got["wxtoken_source_ok "+appid] != 0 || got["wxtoken_source_token_expires_in_seconds "+appid] > 0 {
		t.Errorf("expired: %v", got)
	}
	for series := range got {
		if strings.Contains(series, "84_secret") {
			t.Errorf("%s shows a token", series)
		}
	}
	src.Close()
	if got := gathered(t, registry); len(got) != 0 {
		t.Errorf("closed: %v", got)
	}
}

// A source whose publishers answered 404, 429 or 502, or that couldn't write its warm start, was not ok for no reason at all.
func TestEachProblemHasItsSeries(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "no folder")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for problem, answer := range map[string]subscribertest.Answer{
		"refused":      subscribertest.Refused(40125, "invalid appsecret"),
		"budget_spent": subscribertest.BudgetSpent(time.Now().Add(time.Hour)),
	} {
		d := subscribertest.New(t, appid)
		d.Expire()
		d.OnRefresh(answer)
		wantProblems(t, d.Source(), "expired", problem)
	}
	wantProblems(t, subscribertest.New(t, appid, subscriber.WithWarmStart(dir)).Source(), "other")
	wantProblems(t, failing{subscriber.ErrUnknownAccount}, "unknown_account")
}

// wantProblems waits until the source has these problems and no others.
func wantProblems(t *testing.T, src sourcemetrics.Source, want ...string) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(sourcemetrics.New(src))
	series := make(map[string]bool)
	for _, problem := range want {
		series["wxtoken_source_problem "+appid+" "+problem] = true
	}
	var got map[string]float64
	for limit := time.Now().Add(10 * time.Second); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		got = gathered(t, registry)
		found := 0
		for name := range got {
			if series[name] {
				found++
			}
		}
		if found == len(want) && len(got) == 2+len(want) && got["wxtoken_source_ok "+appid] == 0 {
			return
		}
	}
	t.Errorf("%v; want %v", got, want)
}

// failing has a token and a problem that subscribertest can't make.
type failing struct{ err error }

func (f failing) Token() (subscriber.Token, error) {
	return subscriber.Token{AppID: appid, ExpiresAt: time.Now().Add(time.Hour)}, nil
}
func (f failing) Err() error { return f.err }
