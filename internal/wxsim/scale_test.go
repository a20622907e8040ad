package wxsim

import (
	"fmt"
	"runtime"
	"testing"
)

// A fleet of accounts costs little: to add, to hold, and to look a token up among all of them.
func TestThousandsOfAccountsAreCheap(t *testing.T) {
	const n = 20_000
	before := heap()
	accounts := make([]Account, n)
	for i := range accounts {
		accounts[i] = Account{AppID: fmt.Sprintf("wx%016d", i), Secret: pass}
	}
	s, err := New(Options{Accounts: accounts})
	fail(t, err)
	if each := (int64(heap()) - int64(before)) / n; each > 2048 {
		t.Errorf("an account takes %d bytes", each)
	}
	for i := range accounts {
		if _, err := s.ForeignMint(accounts[i].AppID, ChannelStable, false); err != nil {
			t.Fatal(err)
		}
	}
	if each := (int64(heap()) - int64(before)) / n; each > 4096 {
		t.Errorf("an account with a token takes %d bytes", each)
	}
	runtime.KeepAlive(s)
}

// A check among 100,000 accounts, beside one in a simulator of a single account.
func BenchmarkCheckAmongManyAccounts(b *testing.B) {
	b.Run("by=ours", func(b *testing.B) { checkAmong(b, 100_000) })
	b.Run("by=single", func(b *testing.B) { checkAmong(b, 1) })
}

func checkAmong(b *testing.B, accounts int) {
	s, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	var token string
	for i := range accounts {
		id := fmt.Sprintf("wx%016d", i)
		if err := s.AddAccount(Account{AppID: id, Secret: pass}); err != nil {
			b.Fatal(err)
		}
		s.ForeignMint(id, ChannelStable, false)
		info, _ := s.Token(id, ChannelStable)
		token = info.Token.Reveal()
	}
	for b.Loop() {
		if s.CheckToken(token) != 0 {
			b.Fatal("refused")
		}
	}
}
