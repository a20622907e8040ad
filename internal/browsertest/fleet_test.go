package browsertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/publisher"
)

// fleet is a publisher as it might be, with more trouble than one can make.
type fleet struct {
	accounts []publisher.AccountStatus
	around   publisher.Surroundings
	down     bool
}

var now = time.Date(2026, 11, 22, 15, 30, 0, 0, time.UTC)

func (f fleet) Status() publisher.Status {
	s := publisher.Status{At: now, Publisher: "host-a/4711", Connected: !f.down, Accounts: f.accounts}
	if f.down {
		s.StoreErr = errors.New("read budget.*: not connected to NATS")
	}
	return s
}

func (f fleet) Surroundings(context.Context) publisher.Surroundings { return f.around }

func (f fleet) History(_ context.Context, appid string) ([]publisher.Minted, error) {
	reasons := []wire.Reason{wire.ReasonScheduled, wire.ReasonScheduled, wire.ReasonReported, wire.ReasonManual, wire.ReasonStartup}
	var history []publisher.Minted
	for i, reason := range reasons {
		at := now.Add(-time.Duration(28+i*115) * time.Minute)
		history = append(history, publisher.Minted{
			ID: wire.TokenID(fmt.Sprint(appid, i)), Generation: uint64(at.UnixMilli()), Reason: reason, By: "host-b/81", At: at, ExpiresAt: at.Add(2 * time.Hour),
		})
	}
	return history, nil
}

// healthy is an account whose token has that much left.
func healthy(appid string, left time.Duration) publisher.AccountStatus {
	minted := now.Add(left - 2*time.Hour)
	return publisher.AccountStatus{
		AppID: appid, Endpoint: "stable_token", TokenID: wire.TokenID(appid + "0"), Generation: uint64(minted.UnixMilli()), Revision: 42,
		Reason: wire.ReasonScheduled, MintedBy: "host-b/81", MintedAt: minted, ExpiresAt: minted.Add(2 * time.Hour), Live: true,
		ForcedLeft: 20, AskedLeft: 10,
	}
}

func failing(a publisher.AccountStatus, err error, failures int) publisher.AccountStatus {
	a.LastErr, a.Failures, a.RetryAt = err, failures, now.Add(4*time.Minute+12*time.Second)
	a.ForcedLeft, a.AskedLeft = 17, 0
	return a
}

func refusal(code int, msg, hint string) error {
	return &wechat.Error{Op: wechat.OpMint, Class: wechat.Permanent, Code: code, Msg: msg, Host: "api.weixin.qq.com", Hint: hint}
}

var cluster = publisher.Surroundings{
	Peers: []publisher.Peer{
		{Publisher: "host-a/4711", Version: "1.4.0", Started: now.Add(-50 * time.Hour), Requests: 1812, Self: true},
		{Publisher: "host-b/81", Version: "1.4.0", Started: now.Add(-3 * time.Hour), Requests: 96},
	},
	Server: publisher.Server{
		Name: "nats-0", URL: "nats://nats-0.nats.example:4222", Version: "2.15.2", Cluster: "wx", RTT: 1400 * time.Microsecond,
		Others: []string{"nats://10.0.3.11:4222", "nats://10.0.3.12:4222"},
	},
	Buckets: []publisher.Bucket{
		{Name: "wx_token", Leader: "nats-0", Replicas: 3, Current: 3},
		{Name: "wx_token_ops", Leader: "nats-1", Replicas: 3, Current: 2, Behind: []string{"nats-2"}},
	},
}

func calm() fleet {
	around := cluster
	around.Buckets = []publisher.Bucket{cluster.Buckets[0], {Name: "wx_token_ops", Leader: "nats-1", Replicas: 3, Current: 3}}
	return fleet{around: around, accounts: []publisher.AccountStatus{
		healthy("wx0123456789abcdef", 92*time.Minute), healthy("wxfedcba9876543210", 47*time.Minute), healthy("wx5c0ffee5c0ffee12", 6*time.Minute),
	}}
}

func troubled() fleet {
	expired := healthy("wx0dead0dead0dead0", -12*time.Minute)
	expired.Live = false
	unstored := healthy("wx00005703ed000001", 119*time.Minute)
	unstored.Unstored = true
	long := healthy(strings.Repeat("wx_long", 9), 110*time.Minute)
	long.LastErr, long.Failures = errors.New("read the reply: https://"+strings.Repeat("proxy", 20)+": EOF"), 1
	missing := publisher.AccountStatus{AppID: "wx404404404404404f", Endpoint: "token", ForcedLeft: 20, AskedLeft: 10}
	dial := &wechat.Error{
		Op: wechat.OpMint, Host: "api2.weixin.qq.com", Err: errors.New("dial tcp: lookup api2.weixin.qq.com on 10.96.0.10:53: i/o timeout"),
		Hint: "it is tried again by itself; if it persists, check DNS, firewall and proxy on the way to api2.weixin.qq.com", Unsent: true,
	}
	return fleet{around: cluster, accounts: []publisher.AccountStatus{
		healthy("wx0123456789abcdef", 92*time.Minute), healthy("wxfedcba9876543210", 47*time.Minute), unstored, long,
		failing(expired, refusal(40164, "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 6745a1b2-3c4d5e6f-70819203",
			"add 203.0.113.7 to the IP whitelist (mp.weixin.qq.com → 开发 → IP白名单); edits take up to 10 minutes"), 7),
		failing(missing, refusal(40125, "invalid appsecret rid: 6745a1b2-3c4d5e6f-70819204",
			"configure the AppSecret that is now shown as valid on the AppSecret page of the account's developer settings (mp.weixin.qq.com → 开发); a reset makes the old one useless"), 1),
		failing(healthy("wx5c0ffee5c0ffee12", 4*time.Minute), dial, 3),
	}}
}

// thousands has some trouble among 5,000 accounts.
func thousands() fleet {
	f := troubled()
	for i := range 4993 {
		f.accounts = append(f.accounts, healthy(fmt.Sprintf("wx%016x", 0x9e3779b97f4a7c15*uint64(i+1)), time.Duration(300+i)*time.Second))
	}
	return f
}
