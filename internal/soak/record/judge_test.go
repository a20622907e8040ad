package record

import "testing"

func TestWhoseFaultAFailedCallIs(t *testing.T) {
	refused := Attempt{Code: 40001, Refused: true, TokenID: "b", Begin: at(30), End: at(30.1)}
	for name, c := range map[string]struct {
		attempts []Attempt
		happened func(h *history)
		client   string
		want     Verdict
	}{
		"nothing excuses it":                       {nil, func(*history) {}, "service-1", Ours},
		"WeChat failed it":                         {[]Attempt{{Code: -1, What: "system error"}}, func(*history) {}, "service-1", WeChat},
		"WeChat was away":                          {nil, func(h *history) { h.trouble(29, 31, Failing, "x", OnCalls) }, "service-1", WeChat},
		"WeChat was away before":                   {nil, func(h *history) { h.trouble(20, 21, Failing, "x", OnCalls) }, "service-1", Ours},
		"WeChat didn't answer, for no reason":      {[]Attempt{{Unanswered: true}}, func(*history) {}, "service-1", Ours},
		"WeChat lied":                              {[]Attempt{refused}, func(h *history) { h.trouble(29, 31, Lying, "x", "flap") }, "service-1", WeChat},
		"the token was good, and refused":          {[]Attempt{refused}, func(h *history) { h.trouble(29, 31, Cut, "x", "service-1") }, "service-1", Ours},
		"the token was dead, the way open":         {[]Attempt{refused}, func(h *history) { h.Revoked("b", at(29)) }, "service-1", Ours},
		"the token was dead, the way barred":       {[]Attempt{refused}, func(h *history) { h.Revoked("b", at(29)); h.trouble(29, 31, Cut, "x", "service-1") }, "service-1", NoWay},
		"the token was dead, another's way barred": {[]Attempt{refused}, func(h *history) { h.Revoked("b", at(29)); h.trouble(29, 31, Cut, "x", "service-2") }, "service-1", Ours},
		"the token was dead, one publisher away":   {[]Attempt{refused}, func(h *history) { h.Revoked("b", at(29)); h.trouble(29, 31, Killed, "x", "publisher-1") }, "service-1", Ours},
		"the token was dead, all publishers away":  {[]Attempt{refused}, func(h *history) { h.Revoked("b", at(29)); h.trouble(29, 31, Killed, "x", OnPublishers) }, "service-1", NoWay},
		"the token was dead, a mint fails": {[]Attempt{refused}, func(h *history) {
			h.Revoked("b", at(29))
			h.trouble(29, 31, Failing, "x", OnMints)
			h.request("", 30.1, 30.15)
		}, "service-1", NoWay},
		"the token was dead, a check fails": {[]Attempt{refused}, func(h *history) {
			h.Revoked("b", at(29))
			h.trouble(29, 31, Failing, "x", OnMints)
			h.Attempted("", Attempt{Begin: at(30.1), End: at(30.15)})
		}, "service-1", NoWay},
		"the token was dead, mints would fail":           {[]Attempt{refused}, func(h *history) { h.Revoked("b", at(29)); h.trouble(29, 31, Failing, "x", OnMints) }, "service-1", Ours},
		"the token died later":                           {[]Attempt{refused}, func(h *history) { h.Revoked("b", at(32)); h.trouble(29, 31, Cut, "x", OnNATS) }, "service-1", Ours},
		"its own agent was killed":                       {nil, func(h *history) { h.trouble(29, 31, Killed, "x", "agent") }, "client", NoWay},
		"an agent was killed that isn't its own":         {nil, func(h *history) { h.trouble(29, 31, Killed, "x", "agent") }, "service-1", Ours},
		"it had no token while NATS was away":            {nil, func(h *history) { h.trouble(29, 31, Killed, "x", OnNATS) }, "service-1", Ours},
		"the token was pushed out by two that are new":   {[]Attempt{refused}, func(h *history) { h.mint("x", 25); h.mint("y", 26); h.trouble(29, 31, Cut, "x", OnNATS) }, "service-1", NoWay},
		"all tokens were forgotten, and no way was open": {[]Attempt{refused}, func(h *history) { h.trouble(27, 28, Forgot, "x", "tokens"); h.trouble(29, 31, Cut, "x", OnNATS) }, "service-1", NoWay},
	} {
		h := calm()
		c.happened(h)
		for _, a := range c.attempts {
			if a.Begin.IsZero() {
				a.Begin, a.End = at(30), at(30.1)
			}
			h.Attempted("call", a)
		}
		h.Failed(Fail{Client: c.client, Call: "call", AppID: appid, What: "failed", Begin: at(30), End: at(30.2)})
		if got := h.Judge()[0]; got.Verdict != c.want {
			t.Errorf("%s: verdict %d (%s), want %d", name, got.Verdict, got.Why, c.want)
		}
		if ours := h.violated()["I8"] > 0; ours != (c.want == Ours) {
			t.Errorf("%s: I8 violated: %v", name, ours)
		}
	}
}
