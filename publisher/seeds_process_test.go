package publisher_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/publisher"
)

// proc is a publisher as a process that can be killed and stopped from outside. All that goes in and out of it passes
// here.
type proc struct {
	r    *seedRun
	name string
	link *natstest.Link
	nc   *nats.Conn
	quit context.CancelFunc
	done chan error

	mu       sync.Mutex
	dead     chan struct{} // closed when killed
	isDead   bool
	diedAt   time.Time
	resumed  chan struct{} // nil unless stopped; closed when it goes on
	traps    map[string]func()
	troubles []span // stopped or cut off
	stopping bool
}

// spawn starts a process in a slot.
func (r *seedRun) spawn(slot int) {
	r.named++
	p := &proc{r: r, name: fmt.Sprintf("host-%c/%d", 'a'+slot, r.named), link: r.nats.Link(), dead: make(chan struct{}),
		traps: make(map[string]func()), done: make(chan error, 1)}
	cfg := r.config(wechat.StableToken)
	cfg.Accounts = nil
	client, err := wechat.NewClient(wechat.Config{
		Bases: []string{"https://api.weixin.qq.com", "https://api2.weixin.qq.com"}, Timeout: seedTimeout, Transport: p,
	})
	r.must(err)
	for _, a := range r.accounts {
		cfg.Accounts = append(cfg.Accounts, publisher.Account{
			AppID: a.appid, Endpoint: a.endpoint, Minter: client.Account(a.appid, secret.New(appSecret), a.endpoint),
		})
	}
	cfg.RefreshAhead, cfg.HTTPTimeout, cfg.LeaseTTL = seedAhead, seedTimeout, seedLease
	cfg.MinRefreshInterval = 10 * time.Second
	cfg.Publisher = p.name
	cfg.Logger = slog.New(slog.NewJSONHandler(r.out, nil)).With("process", p.name)
	p.nc, err = bus.Connect(r.login, "publisher", cfg.Logger, nats.InProcessServer(p))
	r.must(err)
	cfg.Conn = p.nc
	pub, err := publisher.New(cfg)
	r.must(err)
	off := time.Duration(r.random.IntN(3)-1) * time.Duration(r.random.Int64N(int64(20*time.Minute)))
	pub.SetClockOff(off)
	var ctx context.Context
	ctx, p.quit = context.WithCancel(context.Background())
	go func() { p.done <- pub.Run(ctx) }()
	r.procs[slot] = p
	r.mu.Lock()
	r.all = append(r.all, p)
	r.mu.Unlock()
	r.t.Cleanup(func() { p.stop() })
	r.did("%s starts, its clock ahead by %v", p.name, off)
}

// stop is a graceful end.
func (p *proc) stop() {
	p.mu.Lock()
	if p.stopping || p.isDead {
		p.mu.Unlock()
		return
	}
	p.stopping = true
	p.mu.Unlock()
	p.resume()
	p.quit()
	if err := <-p.done; err != nil {
		p.r.t.Errorf("Run: %v", err)
	}
	p.nc.Close()
}

// kill ends the process at once: nothing passes any more, its lease stays as it is.
func (p *proc) kill() {
	p.mu.Lock()
	if p.isDead || p.stopping {
		p.mu.Unlock()
		return
	}
	p.isDead, p.diedAt = true, time.Now()
	close(p.dead)
	p.mu.Unlock()
	p.link.Cut()
	go func() {
		p.link.Release()
		p.quit()
		p.nc.Close()
		<-p.done
	}()
}

// pause is SIGSTOP, and SIGCONT after d.
func (p *proc) pause(d time.Duration) {
	p.mu.Lock()
	if p.isDead || p.stopping || p.resumed != nil {
		p.mu.Unlock()
		return
	}
	p.resumed = make(chan struct{})
	p.troubles = append(p.troubles, span{time.Now(), time.Now().Add(d)})
	p.mu.Unlock()
	p.link.Hold()
	time.AfterFunc(d, p.resume)
}

func (p *proc) resume() {
	p.mu.Lock()
	resumed := p.resumed
	p.resumed = nil
	p.mu.Unlock()
	if resumed != nil {
		p.link.Release()
		close(resumed)
	}
}

// cut takes its way to NATS for d.
func (p *proc) cut(d time.Duration) {
	p.mu.Lock()
	if p.isDead || p.stopping {
		p.mu.Unlock()
		return
	}
	p.troubles = append(p.troubles, span{time.Now(), time.Now().Add(d)})
	p.mu.Unlock()
	p.link.Cut()
	time.AfterFunc(d, func() {
		if p.alive() {
			p.link.Heal()
		}
	})
}

func (p *proc) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.isDead
}

// running tells whether it is neither dead nor stopped.
func (p *proc) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.isDead && p.resumed == nil
}

// wasTroubled tells whether it was stopped, cut off or dead at any moment of that time.
func (p *proc) wasTroubled(from, to time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.troubles {
		if s.touches(from, to) {
			return true
		}
	}
	return p.isDead && !p.diedAt.After(to)
}

// arm makes the process do something the next time it is before or after a step.
func (p *proc) arm(step string, do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps[step] = do
}

func (p *proc) disarm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.traps)
}

func (p *proc) reach(step string) {
	p.mu.Lock()
	do := p.traps[step]
	delete(p.traps, step)
	p.mu.Unlock()
	if do != nil {
		p.r.did("%s is %s", p.name, step)
		do()
	}
}

// goOn waits while the process is stopped, and tells whether it lives. A stopped process doesn't notice that a ctx ends.
func (p *proc) goOn() (stopped, alive bool) {
	for {
		p.mu.Lock()
		resumed, isDead := p.resumed, p.isDead
		p.mu.Unlock()
		if isDead || resumed == nil {
			return stopped, !isDead
		}
		stopped = true
		select {
		case <-resumed:
		case <-p.dead:
		}
	}
}

// InProcessConn is part of nats.InProcessConnProvider.
func (p *proc) InProcessConn() (net.Conn, error) {
	conn, err := p.link.InProcessConn()
	if err != nil {
		return nil, err
	}
	return steppedConn{conn, p}, nil
}

// steppedConn sees the steps of the refresh path that are writes to NATS.
type steppedConn struct {
	net.Conn
	p *proc
}

var (
	storeWrite = []byte("PUB $KV." + names.Bucket + ".")
	leaseWrite = []byte("PUB $KV." + names.OpsBucket() + ".lease.")
	spendWrite = []byte("PUB $KV." + names.OpsBucket() + ".budget.")
)

func (c steppedConn) Write(b []byte) (int, error) {
	step := ""
	switch {
	case bytes.Contains(b, storeWrite):
		step = "store"
	case bytes.Contains(b, leaseWrite):
		step = "lease"
	case bytes.Contains(b, spendWrite):
		step = "spend"
	default:
		return c.Conn.Write(b)
	}
	c.p.reach("before " + step)
	n, err := c.Conn.Write(b)
	c.p.reach("after " + step)
	return n, err
}

// steps are where a process can be hit.
var steps = []string{
	"before lease", "after lease", "before check", "after check", "before spend", "after spend",
	"before mint", "after mint", "before store", "after store",
}
