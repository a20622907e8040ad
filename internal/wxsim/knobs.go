package wxsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Knobs choose among behaviours where WeChat's own is unknown, has varied, or differs between accounts. The zero value is
// the best guess. Of a limit, 0 is the default and a negative number lifts it. Lags are in WeChat's time: they are scaled.
type Knobs struct {
	// Lenient lets the token before last live until its own deadline. By default a channel keeps only two tokens alive.
	Lenient bool `json:"lenient"`
	// ForceKills makes a forced refresh end the current token at once, without grace.
	ForceKills bool `json:"force_kills"`
	// EarlyForceCode answers a forced refresh within 30 s of the last. 0 gives the current token, without refresh.
	EarlyForceCode int `json:"early_force_code"`
	// ReplacedCode refuses a token that was replaced and is past its grace: 40001 (default), 42001 or 40014.
	ReplacedCode int `json:"replaced_code"`
	// WrongSecretCode is what /cgi-bin/token says of a wrong secret: 40125 (default) or 40001.
	WrongSecretCode int `json:"wrong_secret_code"`
	// WhitelistCode refuses an IP that isn't whitelisted: 40164 (default) or 61004.
	WhitelistCode int `json:"whitelist_code"`
	// SecretResetKills makes SetSecret end all tokens of the account at once.
	SecretResetKills bool `json:"secret_reset_kills"`
	// TicketRemaining makes getticket say the remaining seconds, instead of always the full 7200.
	TicketRemaining bool `json:"ticket_remaining"`

	TokenPerDay     int `json:"token_per_day"`     // /cgi-bin/token: 2000; test accounts have 200
	TokenPerMinute  int `json:"token_per_minute"`  // no limit by default, as none is published
	StablePerDay    int `json:"stable_per_day"`    // /cgi-bin/stable_token: 500,000
	StablePerMinute int `json:"stable_per_minute"` // 10,000
	ForcePerDay     int `json:"force_per_day"`     // refreshes with force_refresh: 20
	TicketPerDay    int `json:"ticket_per_day"`    // getticket: 10,000
	ClearPerMonth   int `json:"clear_per_month"`   // clear_quota and clear_quota/v2 together: 10
	ResetHour       int `json:"reset_hour"`        // hour in Beijing at which the quota day begins: 0 to 23

	WhitelistLag time.Duration `json:"-"` // until a whitelist edit counts: 10 min; negative means at once
	FreezeLag    time.Duration `json:"-"` // until a freeze or an unfreeze counts: at once. WeChat says 10 min
}

func (k Knobs) replacedCode() int    { return orDefault(k.ReplacedCode, CodeInvalidCredential) }
func (k Knobs) wrongSecretCode() int { return orDefault(k.WrongSecretCode, CodeInvalidSecret) }
func (k Knobs) whitelistCode() int   { return orDefault(k.WhitelistCode, CodeIPNotWhitelisted) }

func (k Knobs) tokenLimits() limits {
	return limits{perMinute: orDefault(k.TokenPerMinute, -1), perDay: orDefault(k.TokenPerDay, 2000)}
}

func (k Knobs) stableLimits() limits {
	return limits{perMinute: orDefault(k.StablePerMinute, 10_000), perDay: orDefault(k.StablePerDay, 500_000)}
}

func (k Knobs) forceLimits() limits {
	return limits{perMinute: -1, perDay: orDefault(k.ForcePerDay, 20)}
}

func (k Knobs) ticketLimits() limits {
	return limits{perMinute: -1, perDay: orDefault(k.TicketPerDay, 10_000)}
}

func (k Knobs) clearPerMonth() int { return orDefault(k.ClearPerMonth, 10) }

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (k Knobs) check() error {
	problems := []error{
		checkChoice("replaced_code", k.ReplacedCode, 0, CodeInvalidCredential, CodeTokenExpired, CodeInvalidToken),
		checkChoice("wrong_secret_code", k.WrongSecretCode, 0, CodeInvalidSecret, CodeInvalidCredential),
		checkChoice("whitelist_code", k.WhitelistCode, 0, CodeIPNotWhitelisted, CodeIPNotRegistered),
	}
	if k.ResetHour < 0 || k.ResetHour > 23 {
		problems = append(problems, fmt.Errorf("field reset_hour: %d is not 0 to 23", k.ResetHour))
	}
	return errors.Join(problems...)
}

func checkChoice[T comparable](field string, got T, choices ...T) error {
	if slices.Contains(choices, got) {
		return nil
	}
	return fmt.Errorf("field %s: %#v is none of %v", field, got, choices)
}

// knobsJSON is Knobs with the lags as people write them.
type knobsJSON struct {
	*plainKnobs
	WhitelistLag *duration `json:"whitelist_lag"`
	FreezeLag    *duration `json:"freeze_lag"`
}

type plainKnobs Knobs

func (k *Knobs) shadow() knobsJSON {
	return knobsJSON{(*plainKnobs)(k), (*duration)(&k.WhitelistLag), (*duration)(&k.FreezeLag)}
}

// MarshalJSON writes lags like "10m0s".
func (k Knobs) MarshalJSON() ([]byte, error) { return json.Marshal(k.shadow()) }

// maxSeconds is a little less than 292 years, the longest time.Duration.
const maxSeconds = 9e9

// duration is read from "1m30s" or from a number of seconds.
type duration time.Duration

func (d duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

func (d *duration) UnmarshalJSON(data []byte) error {
	var seconds float64
	if json.Unmarshal(data, &seconds) == nil {
		if math.Abs(seconds) > maxSeconds {
			return fmt.Errorf("%.40s seconds are more than a duration can be", data)
		}
		*d = duration(seconds * float64(time.Second))
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("%.40s is no duration: want \"1m30s\" or a number of seconds", data)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%.40q is no duration: want \"1m30s\" or a number of seconds", text)
	}
	*d = duration(parsed)
	return nil
}
