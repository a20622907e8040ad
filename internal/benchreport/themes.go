package main

import (
	"errors"
	"fmt"
	"slices"
)

// theme is one table.
type theme struct {
	title string
	rows  []row
}

// row is one metric of a subject. It becomes a line for each reference that has the metric too.
type row struct {
	what    string
	subject string
	unit    string
	goal    goal
}

// goal is a bound that the project set itself. The zero value is none.
type goal struct {
	most   float64 // of the metric, or of the ratio to the reference
	beside string  // which reference; empty: the metric itself
	from   string  // where it is stated, for users
}

// themes are all tables, in the order of the report.
func themes() []theme {
	return []theme{reading(), calling(), hearing(), memory(), reporting(), agent(), manyAccounts(), forTests()}
}

func reading() theme {
	return theme{"Reading a token", []row{
		{"`src.Token()`", "BenchmarkToken/cores=one", "ns/op", goal{}},
		{"allocations", "BenchmarkToken/cores=one", "allocs/op", goal{}},
		{"by all cores at once", "BenchmarkToken/cores=all", "ns/op", goal{}},
	}}
}

func calling() theme {
	return theme{"Calling WeChat", []row{
		{"a call through `src.Client()` to a server on loopback", "BenchmarkTransport/to=server", "ns/op", goal{}},
		{"its allocations", "BenchmarkTransport/to=server", "allocs/op", goal{}},
		{"what it allocates", "BenchmarkTransport/to=server", "B/op", goal{}},
		{"with nothing below that costs anything", "BenchmarkTransport/to=nothing", "ns/op", goal{}},
		{"a call to another host, which gets no token", "BenchmarkTransport/to=other-host", "ns/op", goal{}},
	}}
}

func hearing() theme {
	return theme{"Hearing of a new token", []row{
		{"publish to the last of 1,000 connections, p50", "BenchmarkFanOut/clients=1000", "p50-ms", goal{}},
		{"the same, p99", "BenchmarkFanOut/clients=1000", "p99-ms", goal{1.3, "core", ""}},
		{"the same, CPU of server and client for each message", "BenchmarkFanOut/clients=1000", "cpu-µs/message", goal{}},
		{"publish to the last of 5,000 connections, p50", "BenchmarkFanOut/clients=5000", "p50-ms", goal{}},
		{"the same, p99", "BenchmarkFanOut/clients=5000", "p99-ms", goal{1.3, "core", ""}},
		{"one update, after nats.go handed it over", "BenchmarkUpdate", "ns/op", goal{}},
		{"its allocations", "BenchmarkUpdate", "allocs/op", goal{}},
		{"of it, decoding and checking the stored value", "BenchmarkDecodeValue", "ns/op", goal{}},
		{"its allocations", "BenchmarkDecodeValue", "allocs/op", goal{}},
		{"10,000 accounts of one fleet: all rotated", "BenchmarkOpenFleet/accounts=10000", "rotated-s", goal{}},
		{"all up to date after a reconnect", "BenchmarkOpenFleet/accounts=10000", "reconnected-s", goal{1, "", "subscriber/doc.go"}},
	}}
}

func memory() theme {
	return theme{"Memory per service", []row{
		{"each of 1,000 connections, client and server together", "BenchmarkFanOut/clients=1000", "KiB/conn", goal{}},
		{"each of 5,000", "BenchmarkFanOut/clients=5000", "KiB/conn", goal{}},
		{"each of 1,000 accounts on one connection, server included", "BenchmarkOpenAlone/accounts=1000", "KiB/account", goal{11, "", "subscriber/doc.go"}},
		{"its goroutines", "BenchmarkOpenAlone/accounts=1000", "goroutines/account", goal{}},
		{"each of 10,000 accounts of one fleet", "BenchmarkOpenFleet/accounts=10000", "KiB/account", goal{1, "", "README"}},
		{"goroutines of all of them", "BenchmarkOpenFleet/accounts=10000", "goroutines", goal{}},
	}}
}

func reporting() theme {
	return theme{"Reporting a dead token", []row{
		{"10,000 reports at once, 50 connections, 3 publishers, p50", "BenchmarkReports", "p50-ms", goal{}},
		{"p99, of which 250 ms are the pause between two checks", "BenchmarkReports", "p99-ms", goal{500, "", "README: half a second"}},
		{"mints", "BenchmarkReports", "mints", goal{1, "", "DESIGN I4"}},
		{"checks", "BenchmarkReports", "checks", goal{}},
	}}
}

func agent() theme {
	return theme{"Agent", []row{
		{"1 client, p50", "BenchmarkCall/clients=1", "p50-µs", goal{}},
		{"1 client, p99", "BenchmarkCall/clients=1", "p99-µs", goal{}},
		{"CPU of client, proxy and server", "BenchmarkCall/clients=1", "cpu-µs/call", goal{}},
		{"64 clients (more is better)", "BenchmarkCall/clients=64", "calls/s", goal{}},
		{"64 clients, p50", "BenchmarkCall/clients=64", "p50-µs", goal{}},
		{"64 clients, p99", "BenchmarkCall/clients=64", "p99-µs", goal{}},
		{"CPU of clients, proxy and server", "BenchmarkCall/clients=64", "cpu-µs/call", goal{}},
	}}
}

func manyAccounts() theme {
	rows := publishing("1,000", "BenchmarkAccounts/accounts=1000")
	rows = append(rows, publishing("10,000", "BenchmarkAccounts/accounts=10000")...)
	rows = append(rows, publishing("100,000", "BenchmarkAccounts/accounts=100000")...)
	return theme{"Many accounts", append(rows,
		row{"10,000 accounts opened in one fleet", "BenchmarkOpenFleet/accounts=10000", "opened-s", goal{}},
		row{"status page: what a viewer of 5,000 accounts costs each second", "BenchmarkNews/accounts=5000", "ns/op", goal{}},
	)}
}

func forTests() theme {
	return theme{"Tests and simulator", []row{
		{"`subscribertest.New` and its end", "BenchmarkNew", "ns/op", goal{}},
		{"simulator: a token checked among 100,000 accounts", "BenchmarkCheckAmongManyAccounts", "ns/op", goal{}},
	}}
}

// publishing are the rows of one publisher with so many accounts.
func publishing(accounts, subject string) []row {
	return []row{
		{"one publisher, " + accounts + " accounts: all have a token", subject, "stored-s", goal{}},
		{"memory of each", subject, "KiB/account", goal{}},
		{"rotations are late by, p50", subject, "late-p50-ms", goal{}},
		{"the same, p99", subject, "late-p99-ms", goal{}},
	}
}

// checkThemes tells of subjects that no theme shows, and of rows without a subject.
func checkThemes(subjects []subject, themes []theme) error {
	var problems []error
	shown := make(map[string]bool)
	for _, t := range themes {
		for _, r := range t.rows {
			shown[r.subject] = true
			if !slices.ContainsFunc(subjects, func(s subject) bool { return s.name == r.subject }) {
				problems = append(problems, fmt.Errorf("theme %q shows %s, which is no subject", t.title, r.subject))
			}
		}
	}
	for _, s := range subjects {
		if !shown[s.name] {
			problems = append(problems, fmt.Errorf("no theme shows %s", s.name))
		}
	}
	return errors.Join(problems...)
}
