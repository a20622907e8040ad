package publisher

import (
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
)

// gocron's Update of a job that was removed meanwhile makes the job anew, and nobody would remove it again.
func TestARemovedJobStaysRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		s := newSchedule(log)
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		accounts := make([]*account, 200)
		for i := range accounts {
			accounts[i] = newAccount(&shared{log: log, clock: &clock{local: time.Now}}, Account{AppID: "wx1", Endpoint: wechat.PlainToken})
			accounts[i].delay(time.Hour)
		}
		var all sync.WaitGroup
		for _, a := range accounts {
			all.Go(func() {
				if err := s.add(a); err != nil {
					t.Error(err)
				}
			})
			for range 3 {
				all.Go(func() { s.rearm(a) })
			}
			all.Go(func() {
				a.remove()
				s.remove(a)
			})
		}
		all.Wait()
		synctest.Wait()
		if got := len(s.cron.Jobs()); got != 0 || len(s.jobs) != 0 {
			t.Errorf("gocron has %d jobs, we know %d", got, len(s.jobs))
		}
		if err := s.shutdown(); err != nil {
			t.Error(err)
		}
	})
}
