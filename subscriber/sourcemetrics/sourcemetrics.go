// Package sourcemetrics shows Prometheus how the sources of a service are. It is a package of its own, so that subscriber
// itself needs nothing but nats.go:
//
//	registry.MustRegister(sourcemetrics.New(src))
//
// For each source there are, with the label appid:
//
//	wxtoken_source_token_expires_in_seconds   time left of the token; negative after its end
//	wxtoken_source_ok                         1 while Source.Err is nil
//	wxtoken_source_problem{problem}           1 for each kind of problem that Err has now
//
// The kinds bear the names of subscriber's errors: not_connected, expired, no_bucket, no_key, bad_value, not_republished,
// no_publisher, unknown_account, unavailable, rights, budget_spent, refused. If Err has none of these, the kind is other, for
// instance where WithWarmStart can't write.
//
// Collecting does no I/O, and shows ids and tokens nowhere.
package sourcemetrics

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxtoken/wxtoken/subscriber"
)

// Source is what a *subscriber.Source tells of itself.
type Source interface {
	Token() (subscriber.Token, error)
	Err() error
}

// Collector collects from sources. Any number of goroutines may use it.
type Collector struct{ sources []Source }

// New makes a Collector of sources, which stay the caller's. A source that is closed has no series any more.
func New(sources ...Source) *Collector { return &Collector{sources} }

var (
	leftDesc    = desc("token_expires_in_seconds", "Time left of the source's token; negative after its end.", "appid")
	okDesc      = desc("ok", "1 while nothing is wrong with the source.", "appid")
	problemDesc = desc("problem", "1 for each kind of problem that the source has.", "appid", "problem")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("wxtoken_source_"+name, help, labels, nil)
}

// Describe is part of prometheus.Collector.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	to <- leftDesc
	to <- okDesc
	to <- problemDesc
}

// Collect is part of prometheus.Collector.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	set := func(desc *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	now := time.Now()
	for _, src := range c.sources {
		tok, _ := src.Token() // an expired one comes along with its error
		if tok.AppID == "" {
			continue // closed
		}
		err := src.Err()
		set(leftDesc, tok.ExpiresAt.Sub(now).Seconds(), tok.AppID)
		ok := 1.0
		if err != nil {
			ok = 0
		}
		set(okDesc, ok, tok.AppID)
		for _, problem := range problems(err) {
			set(problemDesc, 1, tok.AppID, problem)
		}
	}
}

// problems names what is in err, in words that suit a label.
func problems(err error) (names []string) {
	for _, p := range []struct {
		is   error
		name string
	}{
		{subscriber.ErrNotConnected, "not_connected"},
		{subscriber.ErrExpired, "expired"},
		{subscriber.ErrNoBucket, "no_bucket"},
		{subscriber.ErrNoKey, "no_key"},
		{subscriber.ErrBadValue, "bad_value"},
		{subscriber.ErrNotRepublished, "not_republished"},
		{subscriber.ErrNoPublisher, "no_publisher"},
		{subscriber.ErrUnknownAccount, "unknown_account"},
		{subscriber.ErrUnavailable, "unavailable"},
	} {
		if errors.Is(err, p.is) {
			names = append(names, p.name)
		}
	}
	if _, denied := errors.AsType[*subscriber.RightsError](err); denied {
		names = append(names, "rights")
	}
	if _, spent := errors.AsType[*subscriber.BudgetSpentError](err); spent {
		names = append(names, "budget_spent")
	}
	if _, refused := errors.AsType[*subscriber.RefusedError](err); refused {
		names = append(names, "refused")
	}
	if err != nil && len(names) == 0 {
		names = append(names, "other")
	}
	return names
}
