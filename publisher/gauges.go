package publisher

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// gauges tell how a publisher and its accounts are when they are collected. Series of single accounts are there for up to
// accountSeries accounts; of more, only the sums and extremes over all.
type gauges struct {
	p *Publisher
}

const accountSeries = 500

var (
	connectedDesc = gauge("nats_connected", "1 while connected to NATS.")
	storeDesc     = gauge("store_ok", "1 if the buckets could be read and written the last time.")
	accountsDesc  = gauge("accounts", "Accounts by the state of their token: live, expired, missing, unstored.", "state")
	failingDesc   = gauge("accounts_failing", "Accounts whose last mint failed, by class of the error.", "class")
	soonestDesc   = gauge("token_soonest_expiry_seconds", "Time left of the token that ends first; negative after its end.")

	leftDesc     = gauge("token_expires_in_seconds", "Time left of an account's token; negative after its end.", "appid")
	ageDesc      = gauge("token_age_seconds", "Time since an account's token was minted.", "appid")
	failuresDesc = gauge("mint_failures_in_a_row", "Mints that failed since the last that didn't, of an account.", "appid")
	codeDesc     = gauge("mint_last_errcode", "WeChat's errcode of the last mint if it failed, else 0.", "appid")
	budgetDesc   = gauge("budget_left", "What an account may spend before requests are answered 429: forced refreshes of the Beijing day, mints by request. Missing while unknown.",
		"appid", "budget")
)

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

// Describe is part of prometheus.Collector. It tells nothing: then Collect is asked for no more than it has.
func (g gauges) Describe(chan<- *prometheus.Desc) {}

// Collect is part of prometheus.Collector.
func (g gauges) Collect(to chan<- prometheus.Metric) {
	set := func(desc *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	s := g.p.Status()
	set(connectedDesc, oneIf(s.Connected))
	set(storeDesc, oneIf(s.StoreErr == nil))
	states, classes := s.count()
	for state, n := range states {
		set(accountsDesc, float64(n), state)
	}
	for class, n := range classes {
		set(failingDesc, float64(n), class)
	}
	if end := s.soonestEnd(); !end.IsZero() {
		set(soonestDesc, end.Sub(s.At).Seconds())
	}
	if len(s.Accounts) > accountSeries {
		return
	}
	for _, a := range s.Accounts {
		a.collect(set, s.At)
	}
}

func (a AccountStatus) collect(set func(*prometheus.Desc, float64, ...string), now time.Time) {
	if a.TokenID != "" {
		set(leftDesc, a.ExpiresAt.Sub(now).Seconds(), a.AppID)
		set(ageDesc, now.Sub(a.MintedAt).Seconds(), a.AppID)
	}
	set(failuresDesc, float64(a.Failures), a.AppID)
	set(codeDesc, float64(a.ErrCode()), a.AppID)
	if !a.BudgetsUnknown {
		set(budgetDesc, float64(a.ForcedLeft), a.AppID, "forced")
		set(budgetDesc, float64(a.AskedLeft), a.AppID, "asked")
	}
}

// count is how many accounts are in each state, and how many fail with each class of error.
func (s Status) count() (states, classes map[string]int) {
	states, classes = map[string]int{"live": 0, "expired": 0, "missing": 0, "unstored": 0}, map[string]int{}
	for _, a := range s.Accounts {
		states[a.state()]++
		if a.LastErr != nil {
			classes[classOf(a.LastErr).String()]++
		}
	}
	return states, classes
}

func (a AccountStatus) state() string {
	switch {
	case a.TokenID == "":
		return "missing"
	case a.Unstored:
		return "unstored"
	case !a.Live:
		return "expired"
	}
	return "live"
}

func (s Status) soonestEnd() (soonest time.Time) {
	for _, a := range s.Accounts {
		if a.TokenID != "" && (soonest.IsZero() || a.ExpiresAt.Before(soonest)) {
			soonest = a.ExpiresAt
		}
	}
	return soonest
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
