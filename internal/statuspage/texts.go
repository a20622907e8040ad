package statuspage

import (
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/publisher"
)

// texts is everything that the page says in one language.
type texts struct {
	Lang string // a tag for the html element

	// Around the accounts.
	Title, Skip, Language, Colon      string
	Live, Lost, NoScript              string // how the page keeps up
	Facts, Accounts, Good, Failing    string
	Troubled, Soonest, Pages          string
	Search, SearchHint, Find, Clear   string
	Previous, Next, Nothing, NoneHeld string

	// Of an account.
	Token, Generation, Minted, By    string
	Ends, More, History, NoHistory   string
	Budgets, Forced, Asked, AskedWhy string
	WhatToDo, NextTry                string

	// Around the publisher.
	Publishers, Self, NoPeers, Version, Since         string
	NATS, Server, Address, Cluster, RoundTrip, Others string
	Embedded, NoServer, Leader, Replicas, Behind      string
	Unknown                                           string

	disconnected, disconnectedNote string
	storeAway                      string

	requests func(n int) string
	number   func(n int) string
	headline func(c counts) string
	showing  func(first, last, of int) string
	page     func(n, of int) string
	left     func(percent int, left string) string
	ended    func(ago string) string
	toGo     func(d string) string // that much is left
	ago, in  func(d string) string
	justNow  string
	units    units
	zone     *time.Location // of times in full
	zoneName string

	reasons map[wire.Reason]string
	problem func(a publisher.AccountStatus) string // the state of an account in a few words
	says    func(code int, msg string) string
	todo    func(e *wechat.Error) string
	retries string // what is to do about errors that aren't WeChat's
	failed  func(n int) string
}

// units are d, h, min and s, each with what stands between number and unit.
type units struct{ day, hour, minute, second string }

func (t *texts) reason(r wire.Reason) string {
	if text, known := t.reasons[r]; known {
		return text
	}
	return string(r)
}
