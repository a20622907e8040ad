package wxsim

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// delayed is a setting whose changes count only after a while.
type delayed[T any] struct {
	now, next T
	pending   bool
	at        time.Time // when next becomes now
}

func (d *delayed[T]) set(v T, at, now time.Time) {
	d.get(now)
	d.next, d.at, d.pending = v, at, true
	d.get(now)
}

func (d *delayed[T]) get(now time.Time) T {
	if d.pending && !now.Before(d.at) {
		d.now, d.pending = d.next, false
	}
	return d.now
}

// whitelist holds the IP ranges that may use the secret. Nil lets all of them.
type whitelist []netip.Prefix

func (w whitelist) allows(ip netip.Addr) bool {
	if w == nil {
		return true
	}
	for _, p := range w {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

func parseWhitelist(entries []string) (whitelist, error) {
	var w whitelist
	for _, entry := range entries {
		p, err := parsePrefix(entry)
		if err != nil {
			return nil, fmt.Errorf("field ips: %.60q is neither an IP nor a range like 203.0.113.0/24", entry)
		}
		w = append(w, p)
	}
	return w, nil
}

func parsePrefix(entry string) (netip.Prefix, error) {
	if strings.Contains(entry, "/") {
		return netip.ParsePrefix(entry)
	}
	ip, err := netip.ParseAddr(entry)
	if err != nil {
		return netip.Prefix{}, err
	}
	ip = ip.Unmap()
	return ip.Prefix(ip.BitLen())
}

// confirmation is the risk control in which an administrator has to agree to each IP that uses the secret.
type confirmation struct {
	required bool
	ips      map[netip.Addr]*verdict // that have called since it is required
}

// verdict is what the administrator said of an IP so far.
type verdict struct {
	confirmed bool
	refusals  int
	until     time.Time // end of the block that the last refusal caused
}

// check gives the code that holds back a call from ip, or 0.
func (c *confirmation) check(ip netip.Addr, now time.Time) int {
	if !c.required {
		return 0
	}
	v := c.ips[ip]
	if v == nil {
		v = &verdict{}
		c.ips[ip] = v
	}
	switch {
	case v.confirmed:
		return 0
	case now.Before(v.until) && v.refusals > 1:
		return CodeRefusedTwice
	case now.Before(v.until):
		return CodeRefusedOnce
	default:
		return CodeConfirmNeeded
	}
}

// ConfirmAction is what SetConfirmation does.
type ConfirmAction string

// The actions of SetConfirmation.
const (
	ConfirmRequire ConfirmAction = "require" // each IP's use of the secret is answered 89503 until confirmed
	ConfirmAccept  ConfirmAction = "confirm" // the administrator agrees
	ConfirmRefuse  ConfirmAction = "refuse"  // 89507 for an hour; the second time 89506 for 24 hours
	ConfirmOff     ConfirmAction = "off"     // no confirmation is needed, and all verdicts are forgotten
)

var confirmActions = []ConfirmAction{ConfirmRequire, ConfirmAccept, ConfirmRefuse, ConfirmOff}

// SetConfirmation plays the administrator of an account ("*": all) under risk control. Confirm and refuse are about one
// ip, or about all that have called so far when ip is empty.
func (s *Server) SetConfirmation(appid string, action ConfirmAction, ip string) error {
	if err := checkChoice("action", action, confirmActions...); err != nil {
		return err
	}
	var addr netip.Addr
	if ip != "" {
		var err error
		if addr, err = netip.ParseAddr(ip); err != nil {
			return fmt.Errorf("field ip: %.60q is no IP", ip)
		}
	}
	return s.each(appid, func(a *account) { a.confirm.act(action, addr.Unmap(), a.settings, time.Now()) })
}

func (c *confirmation) act(action ConfirmAction, ip netip.Addr, s settings, now time.Time) {
	switch action {
	case ConfirmOff:
		*c = confirmation{}
	case ConfirmRequire:
		if !c.required {
			*c = confirmation{required: true, ips: make(map[netip.Addr]*verdict)}
		}
	default:
		if c.required && ip.IsValid() {
			c.check(ip, now) // the administrator may speak first
		}
		for addr, v := range c.ips {
			if !ip.IsValid() || addr == ip {
				v.give(action, s, now)
			}
		}
	}
}

func (v *verdict) give(action ConfirmAction, s settings, now time.Time) {
	if action == ConfirmAccept {
		*v = verdict{confirmed: true}
		return
	}
	v.confirmed = false
	v.refusals++
	block := refusedOnce
	if v.refusals > 1 {
		block = refusedTwice
	}
	v.until = now.Add(s.scale(block))
}
