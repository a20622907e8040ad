package publisher_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/publisher"
)

// gathered is what a registry holds: wxtoken_mints_total{endpoint="token",…} → value; of histograms, the count.
func gathered(t *testing.T, from prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.Metric {
			values[seriesName(f, m)] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

func seriesName(f *dto.MetricFamily, m *dto.Metric) string {
	var labels []string
	for _, l := range m.Label {
		labels = append(labels, fmt.Sprintf("%s=%s", l.GetName(), l.GetValue()))
	}
	return fmt.Sprintf("%s{%s}", f.GetName(), strings.Join(labels, ","))
}

func (w *world) startMeasured(endpoint wechat.Endpoint) *prometheus.Registry {
	w.t.Helper()
	metrics := prometheus.NewRegistry()
	cfg := w.config(endpoint)
	cfg.Metrics = metrics
	w.start(cfg)
	return metrics
}

func TestMetricsTellWhatHappened(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		metrics := w.startMeasured(wechat.PlainToken)
		v := w.value(anyValue)
		time.Sleep(time.Minute)
		if _, err := w.sim.ForeignMint(appid, wxsim.ChannelToken, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Minute) // WeChat accepts the token before the stranger's for five
		if reply, fault := w.ask("wx.token.refresh", report(v)); fault != nil || reply.Outcome != "replaced" {
			t.Fatalf("%+v, %+v", reply, fault)
		}
		w.ask("wx.token.refresh", report(v)) // already replaced
		w.ask("wx.token.refresh", "{")
		time.Sleep(20 * time.Second) // budgets are looked at
		got := gathered(t, metrics)
		for series, want := range map[string]float64{
			"wxtoken_mints_total{endpoint=token,reason=startup,result=minted}":         1,
			"wxtoken_mints_total{endpoint=token,reason=reported,result=minted}":        1,
			"wxtoken_refresh_requests_total{outcome=replaced,reason=reported}":         1,
			"wxtoken_refresh_requests_total{outcome=already_replaced,reason=reported}": 1,
			"wxtoken_refresh_requests_total{outcome=error_400,reason=none}":            1,
			"wxtoken_events_total{what=foreign_minter}":                                1,
			"wxtoken_events_total{what=minted}":                                        2,
			"wxtoken_wechat_request_duration_seconds{call=mint,result=ok}":             2,
			"wxtoken_wechat_request_duration_seconds{call=check,result=stale}":         2,
			"wxtoken_accounts{state=live}":                                             1,
			"wxtoken_accounts{state=expired}":                                          0,
			"wxtoken_nats_connected{}":                                                 1,
			"wxtoken_store_ok{}":                                                       1,
			"wxtoken_budget_left{appid=" + appid + ",budget=asked}":                    9,
			"wxtoken_budget_left{appid=" + appid + ",budget=forced}":                   20,
			"wxtoken_mint_failures_in_a_row{appid=" + appid + "}":                      0,
		} {
			if value, found := got[series]; !found || value != want {
				t.Errorf("%s = %v (%v), want %v", series, value, found, want)
			}
		}
		left := got["wxtoken_token_expires_in_seconds{appid="+appid+"}"]
		age := got["wxtoken_token_age_seconds{appid="+appid+"}"]
		if left != got["wxtoken_token_soonest_expiry_seconds{}"] || left+age < 7199 || left+age > 7201 || age < 19 || age > 22 {
			t.Errorf("%v s left, %v s old", left, age)
		}
		if got["wxtoken_store_request_duration_seconds{operation=write,result=ok}"] < 4 {
			t.Errorf("writes: %v", got)
		}
	})
}

func TestStatusTellsWhyAnAccountHasNoToken(t *testing.T) {
	inBubble(t, wxsim.Options{Accounts: []wxsim.Account{{AppID: appid, Secret: "another"}}}, func(t *testing.T, w *world) {
		metrics := prometheus.NewRegistry()
		cfg := w.config(wechat.StableToken)
		cfg.Metrics = metrics
		p, nc := w.make(cfg, w.nats.Reach()...)
		if s := p.Status(); s.Ready() || s.StoreErr == nil {
			t.Errorf("before its start: %+v", s)
		}
		if got := gathered(t, metrics); has(got, "wxtoken_budget_left") || !has(got, "wxtoken_mint_failures_in_a_row") {
			t.Errorf("before its start, when budgets are unknown: %v", got)
		}
		w.run(p, nc)
		time.Sleep(time.Second)
		s := p.Status()
		if s.Ready() || s.StoreErr != nil || !s.Connected || len(s.Troubled()) != 1 || s.Accounts[0].ErrCode() != 40125 ||
			!strings.Contains(s.Accounts[0].Problem(), "no token yet: ") || !s.Accounts[0].RetryAt.After(s.At) {
			t.Errorf("%+v", s)
		}
		got := gathered(t, metrics)
		if got["wxtoken_accounts_failing{class=permanent}"] != 1 || got["wxtoken_mint_last_errcode{appid="+appid+"}"] != 40125 ||
			got["wxtoken_mints_total{endpoint=stable_token,reason=startup,result=permanent}"] != 1 || !has(got, "wxtoken_budget_left") {
			t.Errorf("%v", got)
		}
		w.nats.Stop()
		time.Sleep(30 * time.Second)
		if s := p.Status(); s.Connected || s.StoreErr == nil {
			t.Errorf("without NATS: %+v", s)
		}
		w.nats.Resume()
		time.Sleep(5 * time.Second)
		if s := p.Status(); !s.Connected || s.StoreErr != nil {
			t.Errorf("NATS is back: %+v", s)
		}
	})
}

func TestThousandsOfAccountsMakeNoMoreSeries(t *testing.T) {
	few, many := seriesOf(t, 501), seriesOf(t, 5_000)
	if few != many || few > 100 {
		t.Errorf("%d series of 501 accounts, %d of 5,000", few, many)
	}
	if some := seriesOf(t, 500); some < 500*2 {
		t.Errorf("%d series of 500 accounts, each should have its own", some)
	}
}

// has tells whether there is a series of the name.
func has(series map[string]float64, name string) bool {
	for s := range series {
		if strings.HasPrefix(s, name+"{") {
			return true
		}
	}
	return false
}

// seriesOf is the number of series of a publisher that doesn't run.
func seriesOf(t *testing.T, accounts int) (series int) {
	t.Helper()
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		metrics := prometheus.NewRegistry()
		cfg := w.config(wechat.StableToken)
		minter := cfg.Accounts[0].Minter
		cfg.Accounts, cfg.Metrics = nil, metrics
		for i := range accounts {
			cfg.Accounts = append(cfg.Accounts, publisher.Account{AppID: fmt.Sprintf("wx%016d", i), Endpoint: wechat.StableToken, Minter: minter})
		}
		_, nc := w.make(cfg, w.nats.Reach()...)
		defer nc.Close()
		series = len(gathered(t, metrics))
	})
	return series
}

func TestALiveTokenDoesNotHideWhatAHumanMustMend(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		p, nc := w.make(w.config(wechat.StableToken), w.nats.Reach()...)
		w.run(p, nc)
		w.value(anyValue)
		time.Sleep(time.Minute)
		w.fault(wxsim.Fault{Kind: wxsim.ErrCode, Code: 40164, Count: 1})
		if _, fault := w.ask("wx.token.refresh", ""); fault == nil {
			t.Fatal("minted from an IP that is not whitelisted")
		}
		if s := p.Status(); s.Ready() || s.Usable() != 1 || !strings.Contains(s.Accounts[0].Problem(), "40164") {
			t.Errorf("%+v", s)
		}
		time.Sleep(2*time.Hour - 3*time.Minute) // the schedule has had a new one
		if s := p.Status(); !s.Ready() {
			t.Errorf("mended: %+v", s)
		}
	})
}
