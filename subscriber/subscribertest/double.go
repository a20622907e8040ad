package subscribertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/subscriber"
)

const (
	// usualLife is that of WeChat's tokens.
	usualLife = 2 * time.Hour
	// patience is how long anything may take. It all happens within the process.
	patience = 10 * time.Second
)

// A Double stands for the publishers and for WeChat, with one account.
type Double struct {
	t     testing.TB
	appid string
	nc    *nats.Conn
	kv    jetstream.KeyValue
	src   *subscriber.Source

	requests chan *nats.Msg
	stop     chan struct{}
	serving  sync.WaitGroup
	ending   sync.Once

	mu      sync.Mutex
	current wire.Value
	refusal int               // WeChat's errcode for the current token; 0: it is good
	known   map[string]string // every token that was stored, by its id
	answers []Answer
	reports []Report
}

// start makes a Double over nc, with a first token and a source that holds it, until the test ends.
func start(t testing.TB, nc *nats.Conn, appid string, opts []subscriber.Option) *Double {
	t.Helper()
	d := &Double{
		t:        t,
		appid:    appid,
		nc:       nc,
		requests: make(chan *nats.Msg, 1024),
		stop:     make(chan struct{}),
		known:    make(map[string]string),
	}
	must(t, "make the bucket", d.makeBucket())
	must(t, "serve", d.serve())
	t.Cleanup(d.end)
	_, err := d.store("", usualLife)
	must(t, "store the first token", err)
	ctx, cancel := limited()
	defer cancel()
	d.src, err = subscriber.Open(ctx, nc, appid, opts...)
	must(t, "open the source", err)
	return d
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("subscribertest: %s: %v", what, err)
	}
}

func limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

func (d *Double) makeBucket() error {
	js, err := jetstream.New(d.nc)
	if err != nil {
		return err
	}
	ctx, cancel := limited()
	defer cancel()
	names := wire.DefaultNames()
	d.kv, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket:    names.Bucket,
		Storage:   jetstream.MemoryStorage,
		RePublish: &jetstream.RePublish{Source: names.KeySubject(">"), Destination: names.UpdateSubject(">")},
	})
	return err
}

func (d *Double) end() {
	d.ending.Do(func() {
		if d.src != nil {
			d.src.Close()
		}
		close(d.stop)
		d.serving.Wait()
	})
}

// Source is a source that holds the account's token. It is closed when the test ends; closing it before is fine.
func (d *Double) Source() *subscriber.Source { return d.src }

// Conn is a connection for code under test that opens sources of the account itself, with the default names of bucket and
// subjects. It is closed when the test ends: close those sources before.
func (d *Double) Conn() *nats.Conn { return d.nc }

// Set publishes a token that lives for 2 h, and returns when Source holds it. The empty string stands for a token that
// was not there before. WeChat accepts it, and none of those before.
func (d *Double) Set(token string) subscriber.Token {
	d.t.Helper()
	return d.SetFor(token, usualLife)
}

// SetFor is Set for a token that lives for life, to the millisecond. A life of 0 or less is that of a token which is
// expired already.
func (d *Double) SetFor(token string, life time.Duration) subscriber.Token {
	d.t.Helper()
	v, err := d.store(token, life)
	must(d.t, "store a token", err)
	var held subscriber.Token
	d.await("see the token", func() bool {
		held, _ = d.src.Token()
		return held.Generation >= v.Generation
	})
	return held
}

// Expire ends the current token: Source gives subscriber.ErrExpired when Expire returns, and WeChat says 42001. Nobody
// replaces the token, for Expire does what OnRefresh(NoPublisher()) does; Set, or another OnRefresh, heals. The source has
// asked for another token by then, which is among Reports, and does so again about every second.
func (d *Double) Expire() {
	d.t.Helper()
	d.OnRefresh(NoPublisher())
	d.mu.Lock()
	token := d.current.Token.Reveal()
	d.mu.Unlock()
	d.SetFor(token, 0)
	// A Refresh that met the source's own would share what comes of that, whatever OnRefresh is told meanwhile.
	d.await("be told that nobody is there", func() bool { return errors.Is(d.src.Err(), subscriber.ErrNoPublisher) })
}

// Refuse makes WeChat refuse the current token with errcode, e.g. 40001, until the next one is there. With 0 it accepts
// the token again. The source doesn't know of that: whoever calls WeChat is told.
func (d *Double) Refuse(errcode int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refusal = errcode
}

// store publishes a token, and lets nothing else be published meanwhile.
func (d *Double) store(token string, life time.Duration) (wire.Value, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.successor(token, max(0, life))
	data, err := v.Encode()
	if err != nil {
		return v, err
	}
	ctx, cancel := limited()
	defer cancel()
	if _, err := d.kv.Put(ctx, wire.Key(d.appid, wire.KindAccessToken), data); err != nil {
		return v, err
	}
	d.current, d.refusal = v, 0
	d.known[v.ID] = v.Token.Reveal()
	if life <= 0 {
		d.refusal = codeExpired
	}
	return v, nil
}

// successor is the value after the current one. The caller holds d.mu.
func (d *Double) successor(token string, life time.Duration) wire.Value {
	generation := d.current.Generation + 1
	if token == "" {
		token = fmt.Sprintf("token-%d", generation)
	}
	now := time.Now()
	return wire.Value{
		AppID:      d.appid,
		Kind:       wire.KindAccessToken,
		Token:      secret.New(token),
		ID:         wire.TokenID(token),
		ExpiresIn:  (life + time.Second - 1).Truncate(time.Second), // never shorter than the life to the millisecond
		MintedAt:   now,
		ExpiresAt:  now.Add(life),
		Reason:     wire.ReasonManual,
		Publisher:  "subscribertest",
		Endpoint:   "token",
		PreviousID: d.current.ID,
		Generation: generation,
	}
}

// await returns when the source has come to something. Not all that it comes to is signalled.
func (d *Double) await(what string, there func() bool) {
	d.t.Helper()
	for limit := time.Now().Add(patience); !there(); time.Sleep(100 * time.Microsecond) {
		switch _, err := d.src.Token(); {
		case err == subscriber.ErrClosed:
			d.t.Fatal("subscribertest: the source is closed")
		case time.Now().After(limit):
			d.t.Fatalf("subscribertest: the source doesn't %s: %v", what, d.src.Err())
		}
	}
}
