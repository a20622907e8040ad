package wxsim

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// WeChat's error codes, as far as the simulator gives them by itself. A fault can give any other.
const (
	CodeBusy              = -1
	CodeInvalidCredential = 40001 // the token is unknown or was replaced; of a mint: the secret is wrong
	CodeInvalidGrantType  = 40002
	CodeInvalidMediaID    = 40007
	CodeInvalidAppID      = 40013
	CodeInvalidToken      = 40014
	CodeInvalidURL        = 40066
	CodeInvalidArgs       = 40097
	CodeInvalidSecret     = 40125
	CodeIPNotWhitelisted  = 40164
	CodeSecretFrozen      = 40243
	CodeTokenMissing      = 41001
	CodeAppIDMissing      = 41002
	CodeSecretMissing     = 41004
	CodeMediaMissing      = 41005
	CodeTokenExpired      = 42001
	CodeRequireGet        = 43001
	CodeRequirePost       = 43002
	CodeMediaEmpty        = 44001
	CodeDayQuota          = 45009
	CodeMinuteQuota       = 45011
	CodeDataFormat        = 47001
	CodeClearQuotaLimit   = 48006
	CodeUserLimited       = 50002 // a frozen account's business calls
	CodeTokenForbidden    = 50004
	CodeAccountFrozen     = 50007
	CodeIPNotRegistered   = 61004
	CodeRidNotFound       = 76001
	CodeRidMissing        = 76002
	CodeRidOfAnother      = 76003
	CodeRidExpired        = 76004
	CodePathNotFound      = 76021
	CodeConfirmNeeded     = 89503
	CodeRefusedTwice      = 89506
	CodeRefusedOnce       = 89507
)

// errorTexts are WeChat's, without rid. Those of 40243, 5000x and 895xx were never seen in the wild.
var errorTexts = map[int]string{
	CodeBusy:              "system error",
	CodeInvalidCredential: "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
	CodeInvalidGrantType:  "invalid grant_type",
	CodeInvalidMediaID:    "invalid media_id",
	CodeInvalidAppID:      "invalid appid",
	CodeInvalidToken:      "invalid access_token",
	CodeInvalidURL:        "invalid url",
	CodeInvalidArgs:       "invalid args",
	CodeInvalidSecret:     "invalid appsecret",
	CodeSecretFrozen:      "appsecret is frozen",
	CodeTokenMissing:      "access_token missing",
	CodeAppIDMissing:      "appid missing",
	CodeSecretMissing:     "appsecret missing",
	CodeMediaMissing:      "media data missing",
	CodeTokenExpired:      "access_token expired",
	CodeRequireGet:        "require GET method",
	CodeRequirePost:       "require POST method",
	CodeMediaEmpty:        "empty media data",
	CodeDataFormat:        "data format error",
	CodeDayQuota:          "reach max api daily quota limit",
	CodeMinuteQuota:       "api minute-quota reach limit, must slower, retry next minute",
	48001:                 "api unauthorized",
	48004:                 "api forbidden for irregularities",
	CodeClearQuotaLimit:   "forbid to clear quota because of reaching the limit",
	CodeUserLimited:       "user limited",
	CodeTokenForbidden:    "access_token api is forbidden",
	CodeAccountFrozen:     "account is frozen",
	CodeRidNotFound:       "rid not found",
	CodeRidMissing:        "rid is required",
	CodeRidOfAnother:      "rid does not belong to this account",
	CodeRidExpired:        "rid is expired",
	CodePathNotFound:      "cgi_path not found, please check",
	89501:                 "this ip is waiting for the confirmation of the administrator",
	CodeConfirmNeeded:     "this call needs the confirmation of the administrator",
	CodeRefusedTwice:      "the administrator refused this ip, retry after 24 hours",
	CodeRefusedOnce:       "the administrator refused this ip, retry after 1 hour",
}

// textOf is the errmsg for a code, without rid.
func (c *call) textOf(code int) string {
	switch code {
	case CodeIPNotWhitelisted:
		ip := c.ip.String()
		if c.ip.Is4() {
			return fmt.Sprintf("invalid ip %s ipv6 ::ffff:%s, not in whitelist", ip, ip)
		}
		return fmt.Sprintf("invalid ip %s ipv6 %s, not in whitelist", ip, ip)
	case CodeIPNotRegistered:
		return fmt.Sprintf("access clientip is not registered hint: [%s] requestIP: %s", newHint(), c.ip)
	case CodeInvalidCredential:
		if c.endpoint.group == GroupMint {
			return "invalid appsecret, view more at http://t.cn/RAEkdVq"
		}
	}
	if text, ok := errorTexts[code]; ok {
		return text
	}
	return "error"
}

// newRid makes the id of one failed call. Its first group is the time, as on the real platform.
func newRid(now time.Time) string {
	return fmt.Sprintf("%08x-%08x-%08x", uint32(now.Unix()), rand.Uint32(), rand.Uint32())
}

func newHint() string { return fmt.Sprintf("%08x%06x", rand.Uint32(), rand.Uint32()&0xffffff) }
