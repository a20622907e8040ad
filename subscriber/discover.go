package subscriber

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// listTimeout is how long the server may take for one page of keys.
const listTimeout = 10 * time.Second

// AppIDs lists the accounts that have a token in the bucket, or had one that was deleted, in no order. It asks NATS
// for 100,000 of them at a time, and waits for each answer 10 s at most. It needs no consumer, but the right to publish on
// STREAM.INFO; without it the error is a *RightsError. Other errors are ErrNotConnected, ErrNoBucket and ErrUnavailable.
func (f *Fleet) AppIDs(ctx context.Context) ([]string, error) {
	appids, err := f.feed.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	return appids, nil
}

// list gets the keys page by page: a server tells of 100,000 at once.
func (f *feed) list(ctx context.Context) (appids []string, err error) {
	for offset := 0; ; {
		info, err := f.page(ctx, offset)
		if err != nil {
			return nil, err
		}
		for subject := range info.State.Subjects {
			key, _ := strings.CutPrefix(subject, f.opts.names.KeySubject(""))
			if appid, _, ok := wire.SplitKey(key); ok && wire.CheckAppID(appid) == nil {
				appids = append(appids, appid)
			}
		}
		offset += len(info.State.Subjects)
		if len(info.State.Subjects) == 0 || offset >= info.Total {
			return appids, nil
		}
	}
}

func (f *feed) page(ctx context.Context, offset int) (streamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	request, err := json.Marshal(map[string]any{
		"subjects_filter": f.opts.names.KeySubject(wire.Key("*", wire.KindAccessToken)),
		"offset":          offset,
	})
	if err != nil {
		return streamInfo{}, err
	}
	info, streamErr, err := f.streamInfo(ctx, request)
	if err == nil && info.Server.IsZero() {
		err = streamErr // there is no answer in it
	}
	return info, err
}

// Discover yields the accounts that have a token in the bucket, each once, and then each that gets its first token, until
// ctx ends or the fleet is closed. Where the fleet watches all accounts, a new one comes at once, else within half a
// minute. What keeps it from listing them, Err tells.
//
// It yields accounts whether or not they are open, and does not open them. One whose token was deleted is among them: open
// accounts in goroutines of their own, or with a ctx that ends soon.
func (f *Fleet) Discover(ctx context.Context) iter.Seq[string] {
	return func(yield func(string) bool) {
		s := &seeker{seen: make(map[string]bool), found: make(chan string, seekerBuffer), again: make(chan struct{}, 1)}
		if !f.feed.do(func(context.Context) { f.feed.seekers[s] = true }) {
			return
		}
		defer f.feed.do(func(context.Context) { delete(f.feed.seekers, s) })
		s.run(ctx, f.feed, yield)
	}
}

// seekerBuffer is how many new accounts may wait; the list makes good what doesn't fit.
const seekerBuffer = 256

// seeker is one that wants to know of accounts.
type seeker struct {
	seen  map[string]bool
	found chan string   // by an update
	again chan struct{} // asks it to list again
}

func (s *seeker) run(ctx context.Context, f *feed, yield func(string) bool) {
	defer f.ails(ailingList, nil)
	var retries backoff
	for {
		appids, err := f.list(ctx)
		f.ails(ailingList, unlessEnded(ctx, err))
		wait := jitter(f.listEvery())
		if err != nil {
			wait = retries.next(firstRetry, checkEveryBlind)
		} else {
			retries = 0
		}
		for _, appid := range appids {
			if !s.tell(appid, yield) {
				return
			}
		}
		if !s.await(ctx, f, wait, yield) {
			return
		}
	}
}

// await tells of what updates bring until it is time to list again. It tells whether to go on.
func (s *seeker) await(ctx context.Context, f *feed, wait time.Duration, yield func(string) bool) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case appid := <-s.found:
			if !s.tell(appid, yield) {
				return false
			}
		case <-s.again:
			return true
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		case <-f.ended:
			return false
		}
	}
}

func (s *seeker) tell(appid string, yield func(string) bool) bool {
	if s.seen[appid] {
		return true
	}
	s.seen[appid] = true
	return yield(appid)
}

// tellSeekers tells of an account that has a token. It belongs to run's goroutine, like seekAgain.
func (f *feed) tellSeekers(appid string, msg *nats.Msg) {
	if len(f.seekers) == 0 || wire.CheckAppID(appid) != nil {
		return
	}
	if origin, ok := f.opts.names.OriginOf(msg.Header); !ok || origin.Marker || origin.Key != wire.Key(appid, wire.KindAccessToken) {
		return
	}
	for s := range f.seekers {
		select {
		case s.found <- appid:
		default:
			s.listAgain()
		}
	}
}

// seekAgain makes the seekers list the accounts again, as some may have been missed.
func (f *feed) seekAgain() {
	for s := range f.seekers {
		s.listAgain()
	}
}

func (s *seeker) listAgain() {
	select {
	case s.again <- struct{}{}:
	default: // it is asked to already
	}
}

// unlessEnded is err, but nil when it comes from ctx's end.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
