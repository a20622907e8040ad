package publisher_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// keyHistory is every value that the bucket of tokens ever held.
type keyHistory struct {
	r       *seedRun
	ops     *bus.KV
	lock    chan struct{} // not a mutex: it is held while NATS is asked, and waiting for a mutex stops a bubble's time
	epoch   int           // counts stores: an empty one begins with revision 1 again
	last    uint64
	entries []keyEntry
}

type keyEntry struct {
	epoch    int
	revision uint64
	stored   time.Time
	appid    string
	value    wire.Value
	bad      string // why it is no value
}

func newKeyHistory(r *seedRun) *keyHistory {
	h := &keyHistory{r: r, ops: bus.OpenKV(r.nc, r.js, names.OpsBucket()), lock: make(chan struct{}, 1)}
	_, err := r.nc.Subscribe(names.UpdateSubject(">"), func(*nats.Msg) { h.catchUp() })
	r.must(err)
	return h
}

// catchUp reads what came since the last time.
func (h *keyHistory) catchUp() {
	h.lock <- struct{}{}
	defer func() { <-h.lock }()
	for h.r.nc.IsConnected() && h.next() {
	}
}

func (h *keyHistory) next() bool {
	ask := fmt.Sprintf(`{"seq":%d,"next_by_subj":%q}`, h.last+1, names.KeySubject(">"))
	msg, err := h.r.nc.Request("$JS.API.STREAM.MSG.GET."+names.Stream(), []byte(ask), 100*time.Millisecond)
	if err != nil {
		return false
	}
	var reply struct {
		Message *struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	if json.Unmarshal(msg.Data, &reply) != nil || reply.Message == nil {
		return false
	}
	m := reply.Message
	e := keyEntry{epoch: h.epoch, revision: m.Seq, stored: m.Time}
	e.appid, _, _ = wire.SplitKey(strings.TrimPrefix(m.Subject, names.KeySubject("")))
	if e.value, err = wire.DecodeValue(m.Data); err != nil {
		e.bad = err.Error()
	}
	h.entries = append(h.entries, e)
	h.last = m.Seq
	return true
}

// emptied begins the history of a new store. The server must be down.
func (h *keyHistory) emptied() {
	h.lock <- struct{}{}
	defer func() { <-h.lock }()
	h.epoch++
	h.last = 0
}

// current is what the account's key holds.
func (h *keyHistory) current(appid string) (v wire.Value, found bool) {
	h.lock <- struct{}{}
	defer func() { <-h.lock }()
	for i := len(h.entries) - 1; i >= 0 && h.entries[i].epoch == h.epoch; i-- {
		if e := h.entries[i]; e.appid == appid {
			return e.value, e.bad == ""
		}
	}
	return v, false
}

// of lists what the account's key held, the oldest first.
func (h *keyHistory) of(appid string) (found []keyEntry) {
	h.lock <- struct{}{}
	defer func() { <-h.lock }()
	for _, e := range h.entries {
		if e.appid == appid {
			found = append(found, e)
		}
	}
	return found
}

// owner is the account whose token that is.
func (h *keyHistory) owner(id string) string {
	for _, m := range h.r.sim.Ledger("*") {
		if m.ID == id {
			return m.AppID
		}
	}
	return ""
}

func (h *keyHistory) String() string {
	var b strings.Builder
	for _, a := range h.r.accounts {
		fmt.Fprintf(&b, "%s on %s\n", a.appid, a.endpoint)
		for _, e := range h.of(a.appid) {
			v := e.value
			fmt.Fprintf(&b, "  stored %s: store %d revision %d: %s generation %d fence %d by %s (%s), minted %s, until %s %s\n", h.r.at(e.stored), e.epoch,
				e.revision, v.ID, v.Generation, v.Fence, v.Publisher, v.Reason, h.r.at(v.MintedAt), h.r.at(v.ExpiresAt), e.bad)
		}
		for _, m := range h.r.sim.Ledger(a.appid) {
			fmt.Fprintf(&b, "  mint %s: %s on %s by %s, %s\n", h.r.at(m.At), m.ID, m.Channel, m.By, m.Mode)
		}
	}
	return b.String()
}
