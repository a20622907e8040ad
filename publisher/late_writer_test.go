package publisher_test

import (
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

// lateWriters is what a publisher stores whose lease ended meanwhile, and whose clock is an hour ahead.
func lateWriters(v wire.Value) wire.Value {
	v.Generation = wire.NextGeneration(v.Generation, time.Now().Add(time.Hour))
	v.Token = secret.New("84_theirs")
	v.ID = wire.TokenID("84_theirs")
	return v
}

func TestI2ATokenIsGivenUpForOneWithALaterFence(t *testing.T) {
	for _, later := range []bool{true, false} {
		inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
			w.start(w.config(wechat.PlainToken))
			v := w.value(anyValue)
			time.Sleep(time.Minute)
			w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Delay, Delay: 3 * time.Second})
			replies := make(chan wire.Reply, 1)
			go func() {
				reply, _ := w.ask(names.RefreshSubject(), "")
				replies <- reply
			}()
			time.Sleep(time.Second)
			theirs := lateWriters(v)
			if later {
				theirs.Fence += 1000
			}
			w.put(theirs)
			reply := <-replies
			now, _ := w.stored()
			if got := now.ID == theirs.ID; got != later {
				t.Errorf("later fence %v: stored %+v", later, now)
			}
			if reply.ID != now.ID || reply.Outcome != wire.Replaced || now.Generation < theirs.Generation {
				t.Errorf("later fence %v: reply %+v, stored %+v", later, reply, now)
			}
			if told := w.events(wire.EventStaleWriter) == 1; told != later {
				t.Errorf("later fence %v: stale_writer told %v", later, told)
			}
		})
	}
}

// The model found a token that was kept while the store was away, and was put back over a late writer's under the
// generation that it had got before: readers of the late writer's token never took it.
func TestI6AKeptTokenIsPutBackUnderAGenerationThatReadersTake(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		link := w.nats.Link()
		w.startOver(w.config(wechat.PlainToken), link.Options()...)
		v := w.value(anyValue)
		time.Sleep(time.Minute)
		w.fault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Delay, Delay: 3 * time.Second})
		w.must(w.nc.Publish(names.RefreshSubject(), nil))
		time.Sleep(time.Second)
		link.Cut()
		time.Sleep(30 * time.Second)
		theirs := lateWriters(v)
		w.put(theirs)
		link.Heal()
		now := w.value(func(now wire.Value) bool { return now.ID != theirs.ID })
		if now.Generation <= theirs.Generation || now.Fence <= theirs.Fence {
			t.Errorf("generation %d, fence %d are stored over %d, %d", now.Generation, now.Fence, theirs.Generation, theirs.Fence)
		}
		w.isNewest(now)
	})
}
