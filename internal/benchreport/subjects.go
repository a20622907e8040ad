package main

import "time"

// subject is a benchmark, or those of its sub-benchmarks that differ in who does it only.
type subject struct {
	pkg        string // its folder
	name       string // without /by=…
	time       string // -benchtime
	rounds     int    // at most; 0: as many as asked for
	references []reference
}

// reference is something that does a comparable thing.
type reference struct {
	by    string // as in the benchmark's name
	label string // as in the report
}

// ours is what a subject's sub-benchmark of our own is named.
const ours = "ours"

// quick is the -benchtime of what takes microseconds at most.
const quick = "300ms"

// shortTime is the -benchtime with -short.
func (s subject) shortTime() string {
	if _, err := time.ParseDuration(s.time); err == nil {
		return "20ms"
	}
	return "1x"
}

// subjects are all benchmarks that there are.
func subjects() []subject {
	load, redis := reference{"load", "a bare atomic load"}, reference{"redis", "a Redis GET on loopback"}
	bare := reference{"bare", "the bare http.Transport"}
	core, watch := reference{"core", "bare core NATS"}, reference{"kv.Watch", "kv.Watch"}
	proxies := []reference{{"proxy", "bare ReverseProxy"}, {"pooled-proxy", "ReverseProxy with a buffer pool"}}
	puts := []reference{{"kv.Put", "bare kv.Put"}}
	return []subject{
		{"subscriber", "BenchmarkToken/cores=one", quick, 0, []reference{load, redis}},
		{"subscriber", "BenchmarkToken/cores=all", quick, 0, []reference{load, redis}},
		{"subscriber", "BenchmarkTransport/to=server", "500ms", 0, []reference{bare}},
		{"subscriber", "BenchmarkTransport/to=nothing", quick, 0, []reference{bare}},
		{"subscriber", "BenchmarkTransport/to=other-host", quick, 0, []reference{bare}},
		{"subscriber", "BenchmarkFanOut/clients=1000", "100x", 0, []reference{core, watch}},
		{"subscriber", "BenchmarkFanOut/clients=5000", "60x", 3, []reference{core, watch}},
		{"subscriber", "BenchmarkUpdate", quick, 0, []reference{{"json", "decode the JSON, keep it"}}},
		{"internal/wire", "BenchmarkDecodeValue", quick, 0, []reference{{"json", "encoding/json, unchecked"}}},
		{"subscriber", "BenchmarkOpenFleet/accounts=10000", "1x", 0, []reference{{"kv.Watch", "one kv.WatchAll into a map"}}},
		{"subscriber", "BenchmarkOpenAlone/accounts=1000", "1x", 0, []reference{core, watch}},
		{"subscriber/subscribertest", "BenchmarkNew", quick, 0, []reference{{"server", "a NATS server with a socket, and a connection"}}},
		{"publisher", "BenchmarkReports", "5x", 0, []reference{{"echo", "a NATS echo service"}}},
		{"publisher", "BenchmarkAccounts/accounts=1000", "1x", 1, puts},
		{"publisher", "BenchmarkAccounts/accounts=10000", "1x", 1, puts},
		{"publisher", "BenchmarkAccounts/accounts=100000", "1x", 1, puts},
		{"internal/agent", "BenchmarkCall/clients=1", "500ms", 0, proxies},
		{"internal/agent", "BenchmarkCall/clients=64", "1s", 0, proxies},
		{"internal/statuspage", "BenchmarkNews/accounts=5000", quick, 0, []reference{{"reload", "the whole page"}}},
		{"internal/wxsim", "BenchmarkCheckAmongManyAccounts", quick, 0, []reference{{"single", "the only account"}}},
	}
}
