package statuspage

import (
	"fmt"
	"strings"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/publisher"
)

var english = texts{
	Lang: "en",

	Title: "wxtoken", Skip: "Skip to the accounts", Language: "Language", Colon: ": ",
	Live: "live", Lost: "no news, trying again", NoScript: "Reload the page for news.",
	Facts: "At a glance", Accounts: "Accounts", Good: "With a live token", Failing: "Failing to renew",
	Troubled: "Without a live token", Soonest: "Next token ends", Pages: "Pages of accounts",
	Search: "Search", SearchHint: "AppID or token id", Find: "Find", Clear: "Clear",
	Previous: "Previous", Next: "Next", Nothing: "No account matches.", NoneHeld: "This publisher holds no accounts.",

	Token: "Token id", Generation: "Generation", Minted: "Minted", By: "by",
	Ends: "Ends", More: "Last mints and budgets", History: "Last mints", NoHistory: "None is known.",
	Budgets: "Budgets", Forced: "Forced refreshes left today", Asked: "Mints by request left", AskedWhy: "One more every 5 minutes.",
	WhatToDo: "What to do", NextTry: "Next try",

	Publishers: "Publishers", Self: "this one", NoPeers: "No publisher answers.", Version: "Version", Since: "started",
	NATS: "NATS", Server: "Server", Address: "Address", Cluster: "Cluster", RoundTrip: "Round trip", Others: "Also known",
	Embedded: "in this process", NoServer: "Not connected.", Leader: "leader", Replicas: "replicas up to date", Behind: "behind or offline",
	Unknown: "not known",

	disconnected:     "Not connected to NATS",
	disconnectedNote: "Services go on with the tokens that they have. What is shown here is what was known last.",
	storeAway:        "The buckets can't be read or written",

	requests: func(n int) string { return plural(n, "request") },
	number:   thousands,
	headline: englishHeadline,
	showing:  func(first, last, of int) string { return fmt.Sprintf("%d–%d of %s", first, last, thousands(of)) },
	page:     func(n, of int) string { return fmt.Sprintf("Page %d of %d", n, of) },
	left: func(percent int, left string) string {
		return fmt.Sprintf("%d %% of its time is left: %s", percent, left)
	},
	ended:   func(ago string) string { return "ended " + ago },
	toGo:    func(d string) string { return d + " left" },
	ago:     func(d string) string { return d + " ago" },
	in:      func(d string) string { return "in " + d },
	justNow: "just now",
	units:   units{" d", " h", " min", " s"},
	zone:    time.UTC, zoneName: "UTC",

	reasons: map[wire.Reason]string{
		wire.ReasonStartup: "first token", wire.ReasonScheduled: "scheduled", wire.ReasonReported: "reported as refused",
		wire.ReasonManual: "asked for by hand", wire.ReasonMissing: "key was missing",
	},
	problem: englishProblem,
	says: func(code int, msg string) string {
		return strings.TrimSpace(fmt.Sprintf("WeChat says %d %s", code, msg))
	},
	todo:    func(e *wechat.Error) string { return sentence(e.Hint) },
	retries: "It is tried again by itself.",
	failed: func(n int) string {
		if n == 1 {
			return "The last mint failed."
		}
		return fmt.Sprintf("The last %s mints failed.", thousands(n))
	},
}

func englishHeadline(c counts) string {
	switch {
	case c.bad > 0:
		return fmt.Sprintf("%s of %s without a live token", thousands(c.bad), plural(c.all(), "account"))
	case c.warn > 0:
		return fmt.Sprintf("Tokens are live, but %s of %s can't be renewed", thousands(c.warn), thousands(c.all()))
	case c.ok == 1:
		return "The account has a live token"
	}
	return fmt.Sprintf("All %s have a live token", plural(c.ok, "account"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(n) + " " + what + "s"
}

func englishProblem(a publisher.AccountStatus) string {
	switch {
	case a.TokenID == "":
		return "no token yet"
	case a.Unstored:
		return "not stored yet"
	case !a.Live:
		return "expired"
	case a.LastErr != nil:
		return "can't be renewed"
	}
	return "live"
}

// sentence makes one of a hint.
func sentence(hint string) string {
	if hint == "" {
		return ""
	}
	return strings.ToUpper(hint[:1]) + hint[1:] + "."
}
