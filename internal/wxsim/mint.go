package wxsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Mode tells how a token came to be minted.
type Mode string

// The modes of a mint.
const (
	ModeToken  Mode = "token"  // a call of /cgi-bin/token
	ModeNormal Mode = "normal" // stable_token, when the current token was gone or about to go
	ModeForce  Mode = "force"  // stable_token with force_refresh
)

// By tells who minted.
type By string

// Those who mint.
const (
	ByClient   By = "client"   // whoever called the API
	ByStranger By = "stranger" // ForeignMint: another holder of the secret
)

// order is one ask for a token, from somebody whose right to it was checked.
type order struct {
	channel Channel
	force   bool
	by      By
}

// give answers an order: with the current token, a new one, or the code that refuses it. It asks shorten for the life of
// a new token; 0 leaves it as it is. The caller must not hold the account's lock.
func (s *Server) give(a *account, o order, shorten func() time.Duration) (t *token, remaining time.Duration, code int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now() // under the lock, so that mints have the order of their times
	if code := a.countAsk(o, now); code != 0 {
		return nil, 0, code
	}
	mode, code := a.decide(o, now)
	if code != 0 {
		return nil, 0, code
	}
	if mode == "" {
		t = a.channel(o.channel).current
		a.stats.SameToken++
		return t, t.expires().Sub(now), 0
	}
	life := a.settings.expiresIn
	if short := shorten(); short > 0 {
		life = short
	}
	t = s.mint(a, o, mode, life, now)
	return t, life, 0
}

// countAsk takes the ask out of the endpoint's quota.
func (a *account) countAsk(o order, now time.Time) int {
	if o.channel == ChannelToken {
		return a.quotas.token.take(now, a.settings, a.settings.knobs.tokenLimits())
	}
	return a.quotas.stable.take(now, a.settings, a.settings.knobs.stableLimits())
}

// decide tells how a token has to be minted; an empty mode means that the current one is given again.
func (a *account) decide(o order, now time.Time) (Mode, int) {
	if o.channel == ChannelToken {
		return ModeToken, 0
	}
	c, force := a.channel(o.channel), o.force
	if force && !c.lastForce.IsZero() && now.Sub(c.lastForce) < a.settings.scale(forceGap) {
		if code := a.settings.knobs.EarlyForceCode; code != 0 {
			return "", code
		}
		force = false // "it will not refresh": the call is as good as a normal one
	}
	if force {
		if code := a.quotas.force.take(now, a.settings, a.settings.knobs.forceLimits()); code != 0 {
			return "", code
		}
		c.lastForce = now
		return ModeForce, 0
	}
	if t := c.current; t != nil && t.expires().Sub(now) > a.settings.rolloverOf(t.life) {
		return "", 0
	}
	return ModeNormal, 0
}

func (s *Server) mint(a *account, o order, mode Mode, life time.Duration, now time.Time) *token {
	k, c := a.settings.knobs, a.channel(o.channel)
	t := s.newToken(a, o.channel, life, now)
	then := now.Add(a.settings.scale(grace))
	if mode == ModeForce && k.ForceKills {
		then = now
	}
	m := Mint{AppID: a.appid, Channel: o.channel, Mode: mode, By: o.by, ID: t.id, At: now, ExpiresAt: t.expires()}
	if c.current != nil {
		m.PreviousID = c.current.id
	}
	s.tokens.Store(t.text.Reveal(), t)
	c.shift(t, now, then, k.Lenient)
	for _, old := range c.forget(now, k) {
		s.tokens.Delete(old.text.Reveal())
	}
	a.stats.countMint(m)
	s.ledger.add(m)
	s.log.Info("minted", "appid", a.appid, "channel", o.channel, "mode", mode, "by", o.by, "token_id", t.id,
		"previous_id", m.PreviousID, "expires_at", m.ExpiresAt)
	return t
}

// ForeignMint is a stranger who has the secret and asks for a token on a channel. It returns the id of what the stranger
// got: on the stable channel that is often the current token. It takes from the quotas, and fails when they are spent.
func (s *Server) ForeignMint(appid string, ch Channel, force bool) (id string, err error) {
	if err := checkChoice("channel", ch, channels...); err != nil {
		return "", err
	}
	if force && ch != ChannelStable {
		return "", errors.New("field force: only the channel stable_token can be forced")
	}
	a, err := s.known(appid)
	if err != nil {
		return "", err
	}
	t, _, code := s.give(a, order{channel: ch, force: force, by: ByStranger}, func() time.Duration { return 0 })
	if code != 0 {
		return "", fmt.Errorf("mint of a stranger: errcode %d %s", code, errorTexts[code])
	}
	return t.id, nil
}

// Revoke makes the current token of a channel die at once. Afterwards stable_token mints a new one in normal mode too,
// unless sticky: then it goes on giving the dead one, until its roll-over or a forced refresh.
func (s *Server) Revoke(appid string, ch Channel, sticky bool) error {
	if err := checkChoice("channel", ch, channels...); err != nil {
		return err
	}
	return s.each(appid, func(a *account) {
		c := a.channel(ch)
		if c.current == nil {
			return
		}
		c.current.revoked = true
		if !sticky {
			c.current = nil
		}
	})
}

// credentials are what a caller proves its right with.
type credentials struct {
	GrantType string `json:"grant_type"`
	AppID     string `json:"appid"`
	Secret    string `json:"secret"`
	AppSecret string `json:"appsecret"` // what clear_quota/v2 calls it
	Force     bool   `json:"force_refresh"`
}

const maxJSONBody = 1 << 20

// readCredentials reads them from where the endpoint has them. The body is read by it.
func (c *call) readCredentials() {
	query := c.r.URL.Query()
	fromQuery := credentials{GrantType: query.Get("grant_type"), AppID: query.Get("appid"), Secret: query.Get("secret"), AppSecret: query.Get("appsecret")}
	switch c.r.URL.Path {
	case pathToken:
		c.asked = fromQuery
	case pathStable, pathClearQuotaV2:
		data, err := io.ReadAll(io.LimitReader(c.r.Body, maxJSONBody))
		switch {
		case c.r.Method != http.MethodPost:
		case len(data) == 0 && c.r.URL.Path == pathClearQuotaV2:
			c.asked = fromQuery // the documents show both forms
		default:
			c.malformed = err != nil || json.Unmarshal(data, &c.asked) != nil
		}
		if c.r.URL.Path == pathClearQuotaV2 {
			c.asked.Secret = c.asked.AppSecret
		}
	}
}

// checkCredentials gives the code that refuses them, or 0. The order is the platform's as far as it is known.
func (c *call) checkCredentials(wrongSecret int) int {
	switch {
	case c.asked.AppID == "":
		return CodeAppIDMissing
	case c.account == nil:
		return CodeInvalidAppID
	case c.asked.Secret == "":
		return CodeSecretMissing
	case c.endpoint.group == GroupMint && c.asked.GrantType != "client_credential":
		return CodeInvalidGrantType
	}
	a, now := c.account, time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if code := stateCodes[a.state.get(now)]; code != 0 {
		return code
	}
	if !a.ips.get(now).allows(c.ip) {
		return a.settings.knobs.whitelistCode()
	}
	if code := a.confirm.check(c.ip, now); code != 0 {
		return code
	}
	if a.secret.Reveal() != c.asked.Secret {
		return wrongSecret
	}
	return 0
}

// serveMint is GET /cgi-bin/token and POST /cgi-bin/stable_token.
func serveMint(c *call) reply {
	if c.malformed {
		return c.refuse(CodeDataFormat)
	}
	channel, wrongSecret := ChannelStable, CodeInvalidSecret
	if c.r.URL.Path == pathToken {
		channel, wrongSecret = ChannelToken, 0
	}
	if wrongSecret == 0 && c.account != nil {
		wrongSecret = c.knobs().wrongSecretCode()
	}
	if code := c.checkCredentials(wrongSecret); code != 0 {
		return c.refuse(code)
	}
	t, remaining, code := c.s.give(c.account, order{channel: channel, force: c.asked.Force, by: ByClient}, c.shortLife)
	if code != 0 {
		return c.refuse(code)
	}
	return c.tokenReply(t, remaining)
}

func (c *call) shortLife() time.Duration {
	if f := c.fault(ShortExpires); f != nil {
		return f.ExpiresIn
	}
	return 0
}

// tokenReply is the success of a mint, which has no errcode: the truth, or what a fault makes of it.
func (c *call) tokenReply(t *token, remaining time.Duration) reply {
	answer := struct {
		AccessToken string `json:"access_token,omitempty"`
		ExpiresIn   int64  `json:"expires_in"`
	}{t.text.Reveal(), wholeSeconds(remaining)}
	if f := c.fault(LieExpires); f != nil {
		answer.ExpiresIn = f.Claim
	}
	if f := c.fault(NoToken); f != nil {
		answer.AccessToken = ""
	}
	return c.json(answer)
}
