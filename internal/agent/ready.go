package agent

// readiness is what /readyz answers.
type readiness struct {
	Ready    bool      `json:"ready"`
	NATS     string    `json:"nats"` // connected or disconnected
	Problem  string    `json:"problem,omitempty"`
	Accounts int       `json:"accounts"`
	Live     int       `json:"live"` // of them have a good token
	Troubled []trouble `json:"troubled,omitempty"`
}

type trouble struct {
	AppID   string `json:"appid"`
	Problem string `json:"problem"`
}

// troublesShown bounds an answer of thousands.
const troublesShown = 50

// ready tells whether NATS is connected and each account has a good token and its files.
func (g *Agent) ready() (bool, any) {
	all := g.accounts.all()
	r := readiness{NATS: "connected", Accounts: len(all), Live: liveOf(all)}
	if !g.cfg.Conn.IsConnected() {
		r.NATS = "disconnected"
	}
	r.Problem = g.problem(len(all))
	troubled := 0
	for _, a := range all {
		err := a.live()
		if err == nil {
			err = a.problem()
		}
		if err == nil {
			continue
		}
		if troubled++; troubled <= troublesShown {
			r.Troubled = append(r.Troubled, trouble{a.appid, err.Error()})
		}
	}
	r.Ready = g.cfg.Conn.IsConnected() && len(all) > 0 && troubled == 0
	return r.Ready, r
}

// problem is what is wrong with all accounts alike.
func (g *Agent) problem(accounts int) string {
	state := g.fleet.Load()
	err := state.err
	if state.fleet != nil {
		err = state.fleet.Err()
	}
	switch {
	case err != nil:
		return err.Error()
	case accounts == 0:
		return "no account has a token yet"
	}
	return ""
}
