package publisher

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/google/uuid"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// schedule runs one gocron job for each account. A job has no fixed rate: after each run gocron asks the account when
// to look again.
type schedule struct {
	log  *slog.Logger
	stop chan struct{} // closed when jobs should stop waiting for their pass
	runs gate

	// mu is held while gocron changes a job: its Update of one that is removed meanwhile would bring it back.
	mu   sync.Mutex
	jobs map[*account]uuid.UUID
	cron gocron.Scheduler // made by start
}

func newSchedule(log *slog.Logger) *schedule {
	return &schedule{log: log, stop: make(chan struct{}), runs: make(gate, runsAtOnce), jobs: make(map[*account]uuid.UUID)}
}

// runsAtOnce bounds the passes that the schedule begins, or the first mints of many thousand accounts would ask NATS for
// more than it answers in time. Requests of services don't wait for them.
const runsAtOnce = 256

// start makes gocron run what is added from now on.
func (s *schedule) start() error {
	cron, err := gocron.NewScheduler(gocron.WithLocation(time.UTC), gocron.WithGlobalJobOptions(
		gocron.WithIntervalFromCompletion(),
		gocron.WithEventListeners(gocron.AfterJobRunsWithPanic(func(_ uuid.UUID, name string, what any) {
			s.log.Error("scheduled refresh panicked", "appid", name, "panic_type", fmt.Sprintf("%T", what))
		})),
	))
	if err != nil {
		return fmt.Errorf("make scheduler: %w", err)
	}
	cron.Start()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cron = cron
	return nil
}

// add schedules an account, unless it was removed before it came to that.
func (s *schedule) add(a *account) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.isRemoved() {
		return nil
	}
	job, err := s.cron.NewJob(s.definition(), s.task(a), s.options(a)...)
	if err != nil {
		return fmt.Errorf("schedule account %s: %w", a.appid, err)
	}
	s.jobs[a] = job.ID()
	return nil
}

// remove unschedules an account that is marked as removed. A run that is under way ends with its pass.
func (s *schedule) remove(a *account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, known := s.jobs[a]
	if !known {
		return
	}
	delete(s.jobs, a)
	if err := s.cron.RemoveJob(id); err != nil {
		a.log.Debug("job can't be removed", "appid", a.appid, "err", err) // shutting down
	}
}

// rearm makes gocron ask the account again, because it should run earlier than it last said. A run that is under way
// is not disturbed: it doesn't use gocron's ctx, and ends with being asked in any case.
func (s *schedule) rearm(a *account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, known := s.jobs[a]
	if !known {
		return
	}
	if _, err := s.cron.Update(id, s.definition(), s.task(a), s.options(a)...); err != nil {
		a.log.Debug("job can't be rearmed", "appid", a.appid, "err", err) // shutting down
	}
}

// shutdown ends all jobs. Passes that they began go on.
func (s *schedule) shutdown() error {
	close(s.stop)
	if err := s.cron.Shutdown(); err != nil {
		return fmt.Errorf("stop scheduler: %w", err)
	}
	return nil
}

func (s *schedule) definition() gocron.JobDefinition { return gocron.CronJob("", false) }

func (s *schedule) options(a *account) []gocron.JobOption {
	return []gocron.JobOption{gocron.WithName(a.appid), gocron.WithCronImplementation(timetable{a})}
}

// task is one run: an ask of the schedule, and waiting until it is answered.
func (s *schedule) task(a *account) gocron.Task {
	return gocron.NewTask(func() {
		select {
		case s.runs <- struct{}{}:
			defer s.runs.leave()
		case <-s.stop:
			return
		}
		if !a.isDue() {
			return // replaced since the job was armed, here or elsewhere
		}
		done := make(chan struct{})
		a.enqueue(&ask{reason: wire.ReasonScheduled, answer: func(answer) { close(done) }})
		select {
		case <-done:
		case <-s.stop:
		}
	})
}

// timetable tells gocron when to run an account's job.
type timetable struct{ a *account }

// IsValid is part of gocron.Cron.
func (timetable) IsValid(string, *time.Location, time.Time) error { return nil }

// Next is part of gocron.Cron. It is always after now and after last: gocron would ask for ever otherwise. gocron asks
// twice for a time in the same second as last, the second time with its first answer as last.
func (t timetable) Next(last time.Time) time.Time {
	here, now := time.Now(), t.a.clock.now()
	t.a.mu.Lock()
	defer t.a.mu.Unlock()
	next := later(here.Add(t.a.wakeAt(now).Sub(now)), here.Add(leastPause), last.Add(time.Microsecond))
	t.a.armed = now.Add(next.Sub(here))
	return next
}

// leastPause keeps a run that changed nothing from being followed by the next at once, and is how much earlier than it
// is armed a job must be due to be rearmed.
const leastPause = 20 * time.Millisecond

func (a *account) isDue() bool {
	now := a.clock.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	return !now.Before(a.wakeAt(now))
}
