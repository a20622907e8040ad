package publisher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// The files fuzz*_test.go need no other test file, so that .ci/fuzz can build them without those.

const fuzzAppID = "wx0123456789abcdef"

// fuzzNoon is noon of a day in Beijing.
var fuzzNoon = time.Date(2026, 11, 22, 12, 0, 0, 0, beijing)

// What a publisher reads from its buckets and of its peers: each kind of value, whatever stands where it should be, and the
// headers of a message that was republished.
func FuzzBucket(f *testing.F) {
	const origin = "Nats-Sequence: 7\r\nNats-Stream: KV_wx_token\r\nNats-Subject: $KV.wx_token." + fuzzAppID + ".access_token\r\n"
	for _, value := range []string{
		`{"appid":"` + fuzzAppID + `","kind":"access_token","access_token":"84_token","expires_at":"2026-11-22T17:30:00Z","generation":5}`,
		`{"appid":"84_token/","kind":"84_token","access_token":"84_token","expires_at":"84_token"}`,
		`{"asked_full_at":"2026-11-22T04:20:00Z","forced_at":"2026-11-22T03:59:50Z","forced_day":"2026-11-22","forced":19}`,
		`{"asked_full_at":"9999-12-31T23:59:59Z","forced_at":"9999-12-31T23:59:59-23:00","forced_day":"2026-11-22","forced":-9223372036854775808}`,
		`{"asked_full_at":"0000-01-01T00:00:00+23:00","forced_day":"2026-11-22","forced":9223372036854775807}`,
		`{"owner":"host-a/1","nonce":"mine","since":"2026-11-22T03:59:50Z"}`, `null`, `[]`, ``,
		`{"name":"wx-token","id":"A","version":"1.2.3","metadata":{"bucket":"wx_token","publisher":"` + strings.Repeat("中", 60) + `"},"endpoints":[null,{"num_requests":-5}]}`,
	} {
		f.Add([]byte(value), origin)
	}
	f.Add([]byte("{}"), origin+"Nats-Stream: KV_other\r\n")
	f.Add([]byte("{}"), "Nats-Sequence: 7\r\nNats-Stream: KV_wx_token\r\nNats-Subject: $KV.wx_token.other.access_token\r\n")
	var log bytes.Buffer
	p := newFuzzed(f, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), fuzzAppID)
	p.work.stopping = true // so that updates lead to no reads
	f.Fuzz(func(t *testing.T, data []byte, head string) {
		log.Reset()
		a := p.account(fuzzAppID)
		checkStored(t, a.decode(data, 7, true))
		if m, ok := minted(fuzzAppID, bus.Entry{Value: data, Revision: 7, Exists: true}); ok && (m.ID == "" || m.Generation == 0 || m.ExpiresAt.IsZero()) {
			t.Errorf("history has %+v", m)
		}
		checkBudget(t, data)
		if peer, ok := p.peer(data); ok && (peer.Publisher == "" || len(peer.Publisher) > maxPeerName || !utf8.ValidString(peer.Publisher+peer.Version)) {
			t.Errorf("peer %+v", peer)
		}
		mine := lease{nonce: "mine"}
		if mine.wrote(bus.Entry{Value: data}) && !bytes.Contains(data, []byte("mine")) && !bytes.Contains(data, []byte(`\u`)) {
			t.Errorf("%q is taken for a lease of our own", data)
		}
		checkUpdate(t, p, a, head)
		if strings.Contains(log.String(), "84_token") {
			t.Errorf("the log shows a token: %s", &log)
		}
	})
}

// newFuzzed is a publisher without NATS.
func newFuzzed(f *testing.F, log *slog.Logger, appids ...string) *Publisher {
	conn, err := nats.Connect("nats://nowhere.test", nats.SetCustomDialer(nowhere{}), nats.RetryOnFailedConnect(true), nats.ReconnectWait(time.Hour))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(conn.Close)
	p, err := New(fuzzedConfig(conn, log, appids...))
	if err != nil {
		f.Fatal(err)
	}
	return p
}

func fuzzedConfig(conn *nats.Conn, log *slog.Logger, appids ...string) Config {
	cfg := Config{
		Conn: conn, Names: wire.DefaultNames(), RefreshAhead: 5 * time.Minute, HTTPTimeout: time.Second, LeaseTTL: 15 * time.Second,
		Publisher: "host-a/1", Version: "1.2.3", Logger: log,
	}
	for _, appid := range appids {
		cfg.Accounts = append(cfg.Accounts, Account{AppID: appid, Endpoint: wechat.StableToken, Minter: &idle{}})
	}
	return cfg
}

// nowhere connects to nothing.
type nowhere struct{}

func (nowhere) Dial(string, string) (net.Conn, error) { return nil, errors.New("there is no network") }

// idle is a Minter that nobody calls.
type idle struct{ _ int }

func (*idle) Mint(context.Context, bool) (wechat.Minted, error) { panic("mint") }
func (*idle) Check(context.Context, secret.String) error        { panic("check") }

func checkStored(t *testing.T, s stored) {
	t.Helper()
	if s.revision != 7 || !s.exists && s.Value != (wire.Value{}) {
		t.Errorf("%+v", s)
	}
	if s.exists && (s.AppID != fuzzAppID || s.Kind != wire.KindAccessToken || s.Token.IsZero() || s.ID != wire.TokenID(s.Token.Reveal())) {
		t.Errorf("took %+v", s)
	}
}

// checkBudget checks that whatever was stored, nobody can spend more than there is, and that a wrong budget heals.
func checkBudget(t *testing.T, data []byte) {
	t.Helper()
	bs := &budgets{byKey: map[string][]byte{budgetKey(fuzzAppID): data}}
	b := bs.of(fuzzAppID)
	forced, asked := b.left(fuzzNoon)
	if forced < 0 || forced > forcedPerDay || asked < 0 || asked > askedMintsInARow {
		t.Errorf("%s: %d forced and %d asked refreshes are left", data, forced, asked)
	}
	forcedNow, askedNow := 0, 0
	for i := range 2 * forcedPerDay {
		if b.spendForced(fuzzNoon.Add(time.Duration(i)*forcedInterval)) == nil {
			forcedNow++
		}
		if b.spendAsked(fuzzNoon) == nil {
			askedNow++
		}
	}
	if forcedNow > forcedPerDay || askedNow > askedMintsInARow {
		t.Errorf("%s: %d forced and %d asked refreshes are possible", data, forcedNow, askedNow)
	}
	if _, err := json.Marshal(b); err != nil {
		t.Errorf("%s: the budget can't be stored: %v", data, err)
	}
	b = bs.of(fuzzAppID)
	later := fuzzNoon.Add(48 * time.Hour)
	once := []error{b.spendForced(later), b.spendForced(later.Add(forcedInterval)), b.spendAsked(later), b.spendAsked(later.Add(askedMintsInARow * askedMintInterval))}
	if once[0] != nil && once[1] != nil || once[2] != nil && once[3] != nil {
		t.Errorf("%s is spent for days: %v", data, errors.Join(once...))
	}
}

// checkUpdate checks that only what JetStream stored under an account's key makes us look at that.
func checkUpdate(t *testing.T, p *Publisher, a *account, head string) {
	t.Helper()
	header, err := nats.DecodeHeadersMsg([]byte("NATS/1.0\r\n" + strings.TrimSuffix(head, "\r\n") + "\r\n\r\n"))
	if err != nil {
		return
	}
	p.updated(&nats.Msg{Header: header})
	if !a.looking.Swap(false) {
		return
	}
	for name, want := range map[string]string{"Nats-Stream": "KV_wx_token", "Nats-Subject": "$KV.wx_token." + fuzzAppID + ".access_token"} {
		if !slices.Contains(header[name], want) {
			t.Errorf("%q makes us look", head)
		}
	}
}
