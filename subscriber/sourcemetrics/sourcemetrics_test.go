package sourcemetrics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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
