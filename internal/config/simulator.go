package config

import (
	"io"
	"strings"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// Simulator configures `wxtoken simulator`.
type Simulator struct {
	Addr      string
	ExpiresIn time.Duration
	Accounts  []Account // Endpoint is empty: WeChat has both
	Log       Log
}

// ReadSimulator reads the environment. Its error is an *Error.
func ReadSimulator() (Simulator, error) {
	var v simulatorOnlyVars
	read(&v)
	var m mistakes
	m.address("WX_SIM_ADDR", v.SimAddr)
	cfg := Simulator{
		Addr:      v.SimAddr,
		ExpiresIn: m.seconds("WX_SIM_EXPIRES_IN", v.SimExpiresIn, time.Second),
		Accounts:  v.accounts(&m),
		Log:       v.log(&m),
	}
	return cfg, m.err()
}

func (v SimulatorVars) accounts(m *mistakes) []Account {
	var accounts []Account
	for i, pair := range strings.Split(v.SimAccounts, ",") {
		appid, text, found := strings.Cut(strings.TrimSpace(pair), ":")
		if !found || text == "" || wire.CheckAppID(appid) != nil {
			m.add("WX_SIM_ACCOUNTS", "entry %d: want appid:secret", i+1)
			continue
		}
		accounts = append(accounts, Account{AppID: appid, Secret: secret.New(text)})
	}
	return accounts
}

// SimulatorUsage writes the table of ReadSimulator's variables.
func SimulatorUsage(out io.Writer) error { return usage(out, &simulatorOnlyVars{}) }
