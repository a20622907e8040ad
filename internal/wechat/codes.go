package wechat

import (
	"cmp"
	"strings"
)

// Class says what kind of trouble an error is, and so how long to wait before the next attempt.
type Class int

const (
	// Transient trouble goes by itself: the network, a reply that makes no sense, WeChat's own -1. Seconds.
	Transient Class = iota
	// MinuteQuota is spent: the next minute has a new one.
	MinuteQuota
	// DayQuota is spent: 10 minutes and more.
	DayQuota
	// Permanent trouble lasts until a human changes something. So may an unknown errcode. 1 to 10 minutes, and loud.
	Permanent
	// Stale is a token that WeChat refuses. Only Check says so.
	Stale
)

// String returns a name that suits logs and metrics.
func (c Class) String() string {
	switch c {
	case Transient:
		return "transient"
	case MinuteQuota:
		return "minute_quota"
	case DayQuota:
		return "day_quota"
	case Permanent:
		return "permanent"
	case Stale:
		return "stale"
	}
	return "unknown"
}

// hint is for errors whose code has no better one.
func (c Class) hint() string {
	switch c {
	case Transient:
		return "it is tried again by itself"
	case MinuteQuota:
		return "it is tried again in the next minute"
	case DayQuota:
		return "the quota of the day is spent"
	case Stale:
		return "the token is expired or was replaced"
	default:
		return "look the code up in WeChat's list of return codes (全局返回码); it is tried again, slowly"
	}
}

const codeUnauthorized = 48001

// IsStale tells whether code, from a call that carries an access_token, says that WeChat refuses the token.
func IsStale(code int) bool {
	return code == 40001 || code == 40014 || code == 42001
}

// meaning of an errcode that answers a mint or, except for IsStale, a check.
type meaning struct {
	class Class
	hint  string // one sentence for a human; {ip} is the IP that WeChat names. Empty: the class's
}

const (
	secretPage = "the AppSecret page of the account's developer settings (mp.weixin.qq.com → 开发)"

	hintSecret = "configure the AppSecret that is now shown as valid on " + secretPage + "; a reset makes the old one useless"
	hintAppID  = "check the AppID, and that the AppSecret is this account's"
	hintIP     = "add {ip} to the IP whitelist (mp.weixin.qq.com → 开发 → IP白名单); edits take up to 10 minutes"
	hintLost   = "WeChat did not get all of the request: look for a proxy between here and WeChat that changes requests"
	hintFrozen = "the account is frozen or restricted: its administrator finds the reason in the notices on mp.weixin.qq.com"
	hintAdmin  = "the account's administrator must confirm {ip} in the WeChat message that was sent to them"
)

var codes = map[int]meaning{
	-1:    {Transient, "WeChat is busy; it is tried again by itself"},
	40001: {Permanent, hintSecret},
	40002: {Permanent, hintLost},
	40013: {Permanent, hintAppID},
	40066: {Permanent, "check the API base URL: WeChat does not know this path"},
	40125: {Permanent, hintSecret},
	40164: {Permanent, hintIP},
	40243: {Permanent, "unfreeze the AppSecret on " + secretPage + "; that takes 10 minutes"},
	41001: {Permanent, hintLost},
	41002: {Permanent, hintLost},
	41004: {Permanent, hintLost},
	43002: {Permanent, hintLost},
	43003: {Permanent, "use an API base URL that begins with https://"},
	45009: {DayQuota, "the quota of the day is spent: look for another program that mints with this AppSecret, or reset the quota on mp.weixin.qq.com"},
	45011: {MinuteQuota, ""},
	45035: {Permanent, hintIP},
	47001: {Permanent, hintLost},
	48001: {Permanent, "WeChat does not allow this call to this type of account"},
	48004: {Permanent, hintFrozen},
	50002: {Permanent, hintFrozen},
	50004: {Permanent, hintFrozen},
	50007: {Permanent, hintFrozen},
	61004: {Permanent, hintIP},
	89501: {Permanent, hintAdmin},
	89503: {Permanent, hintAdmin},
	89506: {Permanent, "the administrator refused {ip} twice: WeChat asks again after 24 hours; or add it to the IP whitelist"},
	89507: {Permanent, "the administrator refused {ip}: WeChat asks again after 1 hour; or add it to the IP whitelist"},
}

// look returns what code means as an answer to op. ip may be empty.
func look(op string, code int, ip string) (Class, string) {
	m, known := codes[code]
	if !known {
		m.class = Permanent
	}
	if op == OpCheck && IsStale(code) {
		m = meaning{class: Stale}
	}
	hint := cmp.Or(m.hint, m.class.hint())
	return m.class, strings.ReplaceAll(hint, "{ip}", cmp.Or(ip, "this machine's public IP"))
}
