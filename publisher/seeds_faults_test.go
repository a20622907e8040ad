package publisher_test

import (
	"fmt"
	"time"

	"github.com/wxtoken/wxtoken/internal/wxsim"
)

// What may happen to an account within a run, so that its budget lasts: ten mints by request in a row.
const (
	mostManuals  = 2
	mostStranger = 4
)

// disturb does harm for a few minutes.
func (r *seedRun) disturb() {
	end := time.Now().Add(time.Duration(100+r.random.IntN(100)) * time.Second)
	pace := time.Duration(1+r.random.IntN(8)) * time.Second
	r.did("harm is done about every %v until %s", pace, r.at(end))
	for time.Now().Before(end) {
		time.Sleep(time.Duration(r.random.Float64() * 2 * float64(pace)))
		r.harm()
		for slot, p := range r.procs {
			if !p.alive() && r.random.IntN(3) == 0 {
				r.spawn(slot)
			}
		}
	}
}

// harms are what is done, each as often as it stands here.
var harms = []func(*seedRun){
	(*seedRun).hitProcess, (*seedRun).hitProcess, (*seedRun).hitProcess, (*seedRun).hitProcess, (*seedRun).hitProcess, (*seedRun).hitProcess,
	(*seedRun).hitWeChat, (*seedRun).hitWeChat, (*seedRun).hitWeChat, (*seedRun).hitWeChat,
	(*seedRun).strangerActs, (*seedRun).strangerActs, (*seedRun).reportAtRandom, (*seedRun).reportAtRandom,
	(*seedRun).askByHand, (*seedRun).hitService, (*seedRun).restartServer,
}

func (r *seedRun) harm() { harms[r.random.IntN(len(harms))](r) }

func (r *seedRun) anyAccount() *seedAccount { return r.accounts[r.random.IntN(len(r.accounts))] }

func (r *seedRun) upTo(d time.Duration) time.Duration {
	return time.Duration(r.random.Float64() * float64(d)).Round(time.Millisecond)
}

// hitProcess kills, stops or cuts off a publisher: at once, or at its next step of some kind.
func (r *seedRun) hitProcess() {
	p := r.procs[r.random.IntN(len(r.procs))]
	var what string
	var do func()
	switch d := time.Second + r.upTo(9*time.Second); r.random.IntN(4) {
	case 0:
		what, do = "is killed", p.kill
	case 1:
		d /= 2
		what, do = fmt.Sprintf("is cut off for %v", d), func() { p.cut(d) }
	default:
		what, do = fmt.Sprintf("is stopped for %v", d), func() { p.pause(d) }
	}
	if r.random.IntN(4) == 0 {
		r.did("%s %s", p.name, what)
		do()
		return
	}
	step := steps[r.random.IntN(len(steps))]
	r.did("%s %s when it is %s next", p.name, what, step)
	p.arm(step, do)
}

// lies are what WeChat does. Counts and times are drawn for each.
var lies = []wxsim.Fault{
	{Group: wxsim.GroupMint, Kind: wxsim.Busy},
	{Group: wxsim.GroupMint, Kind: wxsim.Hang},
	{Group: wxsim.GroupMint, Kind: wxsim.Hang, After: true},
	{Group: wxsim.GroupMint, Kind: wxsim.Hang, After: true},
	{Group: wxsim.GroupMint, Kind: wxsim.Drop},
	{Group: wxsim.GroupMint, Kind: wxsim.Drop, After: true},
	{Group: wxsim.GroupMint, Kind: wxsim.Drop, After: true},
	{Group: wxsim.GroupMint, Kind: wxsim.BadGateway},
	{Group: wxsim.GroupMint, Kind: wxsim.BadGateway, After: true},
	{Group: wxsim.GroupMint, Kind: wxsim.Garbage, After: true},
	{Group: wxsim.GroupMint, Kind: wxsim.Portal},
	{Group: wxsim.GroupMint, Kind: wxsim.Empty, After: true},
	{Group: wxsim.GroupMint, Kind: wxsim.NoToken},
	{Group: wxsim.GroupMint, Kind: wxsim.Delay, Delay: 900 * time.Millisecond},
	{Group: wxsim.GroupMint, Kind: wxsim.Delay, Delay: 1100 * time.Millisecond},
	{Group: wxsim.GroupMint, Kind: wxsim.SlowBody, Delay: 3 * time.Millisecond},
	{Group: wxsim.GroupMint, Kind: wxsim.ShortExpires, ExpiresIn: 30 * time.Second},
	{Group: wxsim.GroupCheck, Kind: wxsim.Flap},
	{Group: wxsim.GroupCheck, Kind: wxsim.Flap},
	{Group: wxsim.GroupCheck, Kind: wxsim.Busy},
	{Group: wxsim.GroupCheck, Kind: wxsim.Hang},
	{Group: wxsim.GroupCheck, Kind: wxsim.BadGateway},
	{Group: wxsim.GroupCheck, Kind: wxsim.Delay, Delay: 900 * time.Millisecond},
}

func (r *seedRun) hitWeChat() {
	f := lies[r.random.IntN(len(lies))]
	if r.random.IntN(3) > 0 {
		f.AppID = r.anyAccount().appid
	}
	if r.random.IntN(3) > 0 || f.Kind == wxsim.Flap || f.Kind == wxsim.ShortExpires {
		f.Count = 1 + r.random.IntN(3)
	} else {
		f.For = time.Second + r.upTo(15*time.Second)
	}
	r.did("WeChat: %s of %q %s, after=%v, %d times, for %v", f.Kind, f.AppID, f.Group, f.After, f.Count, f.For)
	r.fault(f)
}

// strangerActs mints with our secret, or makes a token die.
func (r *seedRun) strangerActs() {
	a := r.anyAccount()
	if a.strange++; a.strange > mostStranger {
		return
	}
	switch r.random.IntN(3) {
	case 0:
		sticky := r.random.IntN(2) == 0
		r.did("WeChat revokes the token of %s, sticky=%v", a.appid, sticky)
		r.must(r.sim.Revoke(a.appid, a.channel, sticky))
	default:
		force := a.channel == wxsim.ChannelStable && r.random.IntN(2) == 0
		id, err := r.sim.ForeignMint(a.appid, a.channel, force)
		r.did("a stranger mints for %s, force=%v: %s %v", a.appid, force, id, err)
	}
}

// reportAtRandom reports a token of the account that may be good, dead or long forgotten, once or many times.
func (r *seedRun) reportAtRandom() {
	a := r.anyAccount()
	held := r.keys.of(a.appid)
	if len(held) == 0 {
		return
	}
	id := held[len(held)-1-r.random.IntN(min(len(held), 3))].value.ID
	times := 1 + r.random.IntN(4)*r.random.IntN(5)
	r.did("%s of %s is reported %d times", id, a.appid, times)
	for range times {
		go r.report(a, id)
	}
}

func (r *seedRun) askByHand() {
	a := r.anyAccount()
	if a.manuals >= mostManuals {
		return
	}
	a.manuals++
	r.did("a new token for %s is asked for by hand", a.appid)
	go func() { _, _ = r.nc.Request(names.AccountRefreshSubject(a.appid), nil, 10*time.Second) }()
}

// hitService cuts the services off.
func (r *seedRun) hitService() {
	d := r.upTo(5 * time.Second)
	r.did("the services are cut off for %v", d)
	r.service.Cut()
	time.AfterFunc(d, r.service.Heal)
}

// restartServer takes NATS down and up again, sometimes with an empty store.
func (r *seedRun) restartServer() {
	keep, down := r.random.IntN(4) > 0, time.Duration(0)
	if r.random.IntN(2) == 0 {
		down = r.upTo(6 * time.Second)
	}
	r.did("the server restarts after %v, with its store: %v", down, keep)
	r.keys.catchUp()
	r.mu.Lock()
	r.downs = append(r.downs, span{time.Now(), time.Now().Add(down + 2*time.Second)}) // until all are connected again
	r.mu.Unlock()
	r.nats.Stop()
	time.Sleep(down)
	if keep {
		r.nats.Resume()
		return
	}
	r.mu.Lock()
	r.emptied = append(r.emptied, time.Now())
	r.mu.Unlock()
	r.keys.emptied()
	r.nats.Restart(false)
}

// calm ends all that was done: three publishers run, and everything works.
func (r *seedRun) calm() {
	for _, p := range r.procs {
		p.disarm()
		p.resume()
		if p.alive() {
			p.link.Heal()
		}
	}
	r.sim.ClearFaults(wxsim.All)
	r.service.Heal()
	for slot, p := range r.procs {
		if !p.alive() {
			r.spawn(slot)
		}
	}
	for _, s := range r.readers {
		s.lies.Store(false)
	}
	r.did("calm")
}
