package publisher_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

// The server gives 1,024 keys at once. With more accounts that had spent something, the status page showed budgets as they
// were when there were fewer, or whole ones where there never had been.
func TestTooManyBudgetsAreUnknownAndNotWhole(t *testing.T) {
	inBubble(t, wxsim.Options{}, func(t *testing.T, w *world) {
		p, nc := w.make(w.config(wechat.StableToken), w.nats.Reach()...)
		if !p.Status().Accounts[0].BudgetsUnknown {
			t.Error("known before they were read")
		}
		w.run(p, nc)
		v := w.value(anyValue)
		time.Sleep(time.Minute)
		if _, fault := w.ask(names.RefreshSubject(), ""); fault != nil {
			t.Fatal(fault)
		}
		time.Sleep(20 * time.Second)
		spent := p.Status().Accounts[0]
		if spent.BudgetsUnknown || spent.ForcedLeft != 19 || spent.TokenID == v.ID {
			t.Fatalf("after a refresh by hand: %+v", spent)
		}
		ops, err := w.js.KeyValue(t.Context(), names.OpsBucket())
		w.must(err)
		for i := range 1024 {
			_, err := ops.Put(t.Context(), fmt.Sprintf("budget.wx%d", i), []byte("{}"))
			w.must(err)
		}
		time.Sleep(20 * time.Second)
		if a := p.Status().Accounts[0]; !a.BudgetsUnknown {
			t.Errorf("of 1,025 budgets: %+v", a)
		}
		stream, err := w.js.Stream(t.Context(), "KV_"+names.OpsBucket())
		w.must(err)
		w.must(stream.Purge(t.Context(), jetstream.WithPurgeSubject("$KV."+names.OpsBucket()+".budget.wx7")))
		time.Sleep(20 * time.Second)
		if a := p.Status().Accounts[0]; a.BudgetsUnknown || a.ForcedLeft != spent.ForcedLeft {
			t.Errorf("of 1,024 budgets: %+v", a)
		}
	})
}
