package publisher

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// metrics count what happens. None of them has a label for the account, so thousands of accounts make no more series;
// what there is of each account is told by its gauges.
type metrics struct {
	mints     *prometheus.CounterVec
	requests  *prometheus.CounterVec
	events    *prometheus.CounterVec
	wechat    *prometheus.HistogramVec
	store     *prometheus.HistogramVec
	leaseWait prometheus.Histogram
}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &metrics{
		mints: counter("mints_total", "Calls to WeChat for a token, by endpoint, reason, and result: minted, same_token, or the class of the error.",
			"endpoint", "reason", "result"),
		requests: counter("refresh_requests_total", "Refresh requests answered, by reason (reported, manual, none) and outcome; errors are error_<code>.",
			"reason", "outcome"),
		events: counter("events_total", "Events published, by what happened.", "what"),
		wechat: histogram("wechat_request_duration_seconds", "Time of calls to WeChat, by call (mint, check) and result: ok, or the class of the error.",
			[]float64{.025, .05, .1, .2, .4, .8, 1.6, 3.2, 5, 10}, "call", "result"),
		store: histogram("store_request_duration_seconds", "Time of reads and writes of keys, by operation and result: ok, conflict, error.",
			[]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2}, "operation", "result"),
		leaseWait: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: "lease_wait_duration_seconds",
			Help: "Time spent waiting while another publisher held an account's lease.", Buckets: []float64{.01, .05, .1, .5, 1, 5, 15, 30}}),
	}
	m.beginAtZero()
	return m
}

// beginAtZero makes the series of which the first count matters: one that comes into being with it shows no increase.
func (m *metrics) beginAtZero() {
	for _, what := range wire.EventKinds() {
		m.events.WithLabelValues(what)
	}
	results := []string{"minted", "same_token"}
	for class := range wechat.Stale {
		results = append(results, class.String())
	}
	for _, endpoint := range []wechat.Endpoint{wechat.StableToken, wechat.PlainToken} {
		for _, reason := range wire.Reasons() {
			for _, result := range results {
				m.mints.WithLabelValues(string(endpoint), string(reason), result)
			}
		}
	}
}

// namespace begins the name of every metric.
const namespace = "wxtoken"

func (p *Publisher) register(with prometheus.Registerer) error {
	if with == nil {
		return nil
	}
	for _, c := range append(p.metrics.collectors(), gauges{p}) {
		if err := with.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.mints, m.requests, m.events, m.wechat, m.store, m.leaseWait}
}

// minted counts a call for a token that came back after took.
func (m *metrics) minted(endpoint wechat.Endpoint, reason wire.Reason, isNew bool, err error, took time.Duration) {
	result := "same_token"
	switch {
	case err != nil:
		result = classOf(err).String()
	case isNew:
		result = "minted"
	}
	m.mints.WithLabelValues(string(endpoint), string(reason), result).Inc()
	m.called("mint", err, took)
}

// called measures a call to WeChat.
func (m *metrics) called(call string, err error, took time.Duration) {
	result := "ok"
	if err != nil {
		result = classOf(err).String()
	}
	m.wechat.WithLabelValues(call, result).Observe(took.Seconds())
}

// stored measures a read or write of a key.
func (m *metrics) stored(op string, err error, took time.Duration) {
	result := "ok"
	switch {
	case errors.Is(err, bus.ErrConflict):
		result = "conflict"
	case err != nil:
		result = "error"
	}
	m.store.WithLabelValues(op, result).Observe(took.Seconds())
}
