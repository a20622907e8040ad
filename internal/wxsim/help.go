package wxsim

import (
	"fmt"
	"strings"
)

const helpHead = `Simulated WeChat API. Token endpoints, tickets, quotas and business calls are where WeChat has them:

  curl 'http://HOST/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=s'
  curl 'http://HOST/cgi-bin/stable_token' -d '{"grant_type":"client_credential","appid":"wx1","secret":"s"}'
  curl 'http://HOST/cgi-bin/get_api_domain_ip?access_token=TOKEN'
  curl 'http://HOST/cgi-bin/media/get?access_token=TOKEN&media_id=m1&size=1000000'   (any size, always the same bytes)
  curl 'http://HOST/cgi-bin/media/upload?access_token=TOKEN&type=image' -F media=@file

What follows controls the simulator. It asks for no password: keep it off public networks. appid may be * for all
accounts, and be left out where there is only one. Durations are "1m30s" or seconds. Mistakes are answered with status 400.

`

func help(host string) string {
	var b strings.Builder
	b.WriteString(helpHead)
	b.WriteString(faultHelp())
	for _, c := range commands() {
		fmt.Fprintf(&b, "%s %s%s: %s\n  curl 'http://HOST%s\n\n", c.method, controlPrefix, c.path, c.help, c.curl)
	}
	return strings.ReplaceAll(b.String(), "HOST", host)
}

// faultFields explains the JSON of a fault, kindHelp its kinds.
const faultFields = `A fault strikes calls until it is removed:

  appid        whose calls; * for all
  group        mint, check (get_api_domain_ip, getcallbackip) or business; left out: all
  path         or what the path begins with
  kind         what happens, see below
  count        how many calls it strikes; left out: no end
  for          how long it stands; left out: no end
  probability  that it strikes a call, above 0 up to 1; left out: always
  after        true: the call takes effect, then its answer is lost (busy to empty below)

`

var kindHelp = map[Kind]string{
	Busy:         "errcode -1",
	ErrCode:      "the errcode that field code names, with errmsg if given",
	Hang:         "no answer until the caller gives up, a minute at most",
	Drop:         "the connection is cut",
	BadGateway:   "status 502 with a page of HTML",
	Portal:       "status 200 with a captive portal's HTML",
	Garbage:      "status 200 with JSON that is cut off",
	Empty:        "status 200 with nothing",
	Delay:        "the call takes effect, the answer comes after field delay",
	SlowBody:     "the answer comes byte by byte, field delay (20ms) apart",
	Flap:         "a good token is refused with 40001, or field code",
	ShortExpires: "new tokens live, and claim, field expires_in",
	LieExpires:   "a mint's answer claims the number in field claim: 0, -1",
	NoToken:      "a mint's answer lacks its access_token",
}

func faultHelp() string {
	var b strings.Builder
	b.WriteString(faultFields)
	for _, kind := range kinds {
		fmt.Fprintf(&b, "  %-14s %s\n", kind, kindHelp[kind])
	}
	b.WriteString("\n")
	return b.String()
}

func choices[T ~string](list []T) string {
	var names []string
	for _, v := range list {
		names = append(names, string(v))
	}
	return strings.Join(names, ", ")
}
