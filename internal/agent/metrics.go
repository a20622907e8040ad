package agent

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// outcome is how a call ended.
type outcome string

const (
	fine           outcome = "ok"
	errCode        outcome = "errcode"         // WeChat's, other than of the token
	tokenRefused   outcome = "token_refused"   // by WeChat, in spite of all
	httpError      outcome = "http_error"      // WeChat answered with status 5xx
	mintError      outcome = "mint_error"      // an error of the mint endpoints, in WeChat's form
	badRequest     outcome = "bad_request"     // not a call of the API, or no account named
	unknownAccount outcome = "unknown_account" // or one that can't be read
	noToken        outcome = "no_token"        // none in hand that is good
	unreachable    outcome = "unreachable"     // WeChat: no connection, or one that was cut before the reply
	timedOut       outcome = "timeout"         // WeChat didn't answer in time
	cutOff         outcome = "cut_off"         // WeChat's reply or the client's reading ended too early
	clientGone     outcome = "client_gone"     // before the reply
)

// Kinds of calls.
const (
	kindProxy  = "proxy"
	kindToken  = "token"
	kindStable = "stable_token"
)

// metrics count calls. No label depends on what a client sends.
type metrics struct {
	calls    *prometheus.CounterVec
	replays  prometheus.Counter
	duration *prometheus.HistogramVec
	running  prometheus.Gauge
}

const namespace = "wxtoken_agent"

func newMetrics() *metrics {
	return &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "calls_total",
			Help: "Calls by kind (proxy, token, stable_token) and outcome."}, []string{"kind", "outcome"}),
		replays: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "replays_total",
			Help: "Times that a call was sent to WeChat again with another token."}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "call_duration_seconds",
			Help:    "Time of calls by kind, from the request's head to the reply's end.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}}, []string{"kind"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "calls_running",
			Help: "Calls that have begun and not ended."}),
	}
}

func (m *metrics) called(kind string, o outcome, took time.Duration, attempts int32) {
	m.calls.WithLabelValues(kind, string(o)).Inc()
	m.duration.WithLabelValues(kind).Observe(took.Seconds())
	if attempts > 1 {
		m.replays.Add(float64(attempts - 1))
	}
}

// register adds all metrics to r.
func (m *metrics) register(r *prometheus.Registry, served *accounts) error {
	known := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "accounts",
		Help: "Accounts that are served."}, func() float64 { return float64(len(served.all())) })
	live := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "accounts_live",
		Help: "Accounts that have a good token."}, func() float64 { return float64(liveOf(served.all())) })
	var problems []error
	for _, c := range []prometheus.Collector{m.calls, m.replays, m.duration, m.running, known, live} {
		problems = append(problems, r.Register(c))
	}
	return errors.Join(problems...)
}

func liveOf(list []*account) (live int) {
	for _, a := range list {
		if a.live() == nil {
			live++
		}
	}
	return live
}
