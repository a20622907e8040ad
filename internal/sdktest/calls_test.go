package sdktest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/subscriber/wechatsdk"
)

// callEvery is the pace of one service. All of them together keep a core busy.
const callEvery = 8 * time.Millisecond

// employ makes a service for each account. With healing, its calls go through the source's Transport.
func (w *world) employ(healing bool) services {
	w.t.Helper()
	network := w.network()
	var all services
	var sharing []*wechatsdk.Adapter
	for _, appid := range w.appids {
		src, kind := w.open(appid), w.kinds[appid]
		adapter, client := wechatsdk.New(src), &http.Client{Transport: network}
		switch {
		case healing && kind.sharesClient:
			sharing = append(sharing, adapter)
		case healing:
			client.Transport = src.Transport(network)
		}
		all = append(all, &service{sdk: kind, appid: appid, calls: kind.calls(adapter, client)})
	}
	shareClient(w.t, &http.Client{Transport: wechatsdk.Transport(network, sharing...)})
	return all
}

// service calls WeChat's API all the time.
type service struct {
	sdk   sdk
	appid string
	calls [2]func() error

	made, failed atomic.Int64
	mu           sync.Mutex
	failures     []string // the first of them
}

// run calls until stop is closed.
func (s *service) run(stop <-chan struct{}) {
	pace := time.NewTicker(callEvery)
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-pace.C:
			s.call(i)
		}
	}
}

func (s *service) call(i int) {
	begun := time.Now()
	err := s.calls[i%2]()
	s.made.Add(1)
	if err == nil {
		return
	}
	s.failed.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.failures) < 3 {
		s.failures = append(s.failures, fmt.Sprintf("%s: after %v: %v", begun.Format("15:04:05.000"), time.Since(begun), err))
	}
}

// services run together until the function that start returns is called.
type services []*service

func (all services) start() (stop func()) {
	stopping := make(chan struct{})
	var running sync.WaitGroup
	for _, s := range all {
		running.Go(func() { s.run(stopping) })
	}
	return func() {
		close(stopping)
		running.Wait()
	}
}

// failed is how many calls failed, of those that an SDK made or, with nil, of all.
func (all services) failed(of *sdk) (n int64) {
	for _, s := range all {
		if of == nil || s.sdk.name == of.name {
			n += s.failed.Load()
		}
	}
	return n
}

// tell logs the figures of each SDK.
func (all services) tell(t *testing.T) {
	t.Helper()
	type figures struct{ services, made, failed int64 }
	sums := make(map[string]*figures)
	var names []string
	for _, s := range all {
		sum := sums[s.sdk.name]
		if sum == nil {
			sum = &figures{}
			sums[s.sdk.name] = sum
			names = append(names, s.sdk.name)
		}
		sum.services++
		sum.made += s.made.Load()
		sum.failed += s.failed.Load()
	}
	for _, name := range names {
		t.Logf("%-36s %d services, %6d calls, %d failed", name, sums[name].services, sums[name].made, sums[name].failed)
	}
}

// complain fails the test for each service with failed calls.
func (all services) complain(t *testing.T) {
	t.Helper()
	for _, s := range all {
		s.mu.Lock()
		if len(s.failures) > 0 {
			t.Errorf("%s, %s: %d of %d calls failed\n\t%s", s.sdk.name, s.appid, s.failed.Load(), s.made.Load(), strings.Join(s.failures, "\n\t"))
		}
		s.mu.Unlock()
	}
}
