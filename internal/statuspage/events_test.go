package statuspage

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxtoken/wxtoken/internal/httpd"
	"github.com/wxtoken/wxtoken/publisher"
)

// viewer is a browser with the page's stream open.
type viewer struct {
	header http.Header
	code   int
	done   chan struct{}
	leave  context.CancelFunc

	mu   sync.Mutex
	text bytes.Buffer
}

func (v *viewer) Header() http.Header  { return v.header }
func (v *viewer) WriteHeader(code int) { v.code = code }
func (v *viewer) Flush()               {}
func (v *viewer) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.text.Write(b)
}

// watch opens a stream. It is for bubbles.
func watch(h http.Handler, target string) *viewer {
	ctx, leave := context.WithCancel(context.Background())
	v := &viewer{header: http.Header{}, code: http.StatusOK, done: make(chan struct{}), leave: leave}
	go func() {
		defer close(v.done)
		h.ServeHTTP(v, httptest.NewRequest(http.MethodGet, target, nil).WithContext(ctx))
	}()
	synctest.Wait()
	return v
}

// take is what has come since the last take.
func (v *viewer) take() (changes []change, text string) {
	synctest.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	text = v.text.String()
	v.text.Reset()
	for line := range strings.Lines(text) {
		if data, isData := strings.CutPrefix(line, "data: "); isData {
			var c change
			if err := json.Unmarshal([]byte(data), &c); err != nil {
				panic(err)
			}
			changes = append(changes, c)
		}
	}
	return changes, text
}

func TestAStreamTellsWhatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(healthy("wx1", time.Hour), healthy("wx2", 2*time.Hour))
		_, h := served(t, f)
		v := watch(h, "/events?lang=en")
		defer v.leave()
		first, text := v.take()
		if len(first) != 1 || len(first[0].Rows) != 2 || len(first[0].Parts) != len(parts) || strings.Join(first[0].Order, " ") != "account-wx1 account-wx2" ||
			first[0].Title == "" || !strings.HasPrefix(text, "retry: ") || v.header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("at first: %s", text)
		}
		time.Sleep(10 * time.Second)
		if _, text := v.take(); text != "" {
			t.Errorf("nothing changed: %s", text)
		}
		f.setAccounts(healthy("wx1", time.Hour), failing(healthy("wx2", -time.Second), errNATS))
		time.Sleep(2 * time.Second)
		changes, text := v.take()
		if len(changes) != 1 || len(changes[0].Rows) != 1 || strings.Join(changes[0].Order, " ") != "account-wx2 account-wx1" ||
			!strings.Contains(changes[0].Rows["account-wx2"], "expired") || !strings.Contains(changes[0].Parts["banner"], "1 of 2 accounts") ||
			changes[0].Parts["nats"] != "" || !strings.Contains(changes[0].Title, "1 of 2") {
			t.Errorf("an account in trouble: %s", text)
		}
	})
}

func TestAStreamTellsOfAccountsThatComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(healthy("wx1", time.Hour), healthy("wx2", 2*time.Hour))
		_, h := served(t, f)
		v := watch(h, "/events?lang=en&q=wx")
		defer v.leave()
		v.take()
		for _, c := range []struct {
			accounts []publisher.AccountStatus
			order    string
			rows     int
		}{
			{[]publisher.AccountStatus{healthy("wx1", time.Hour)}, "account-wx1", 0},
			{nil, "", 0},
			{[]publisher.AccountStatus{healthy("wx1", time.Hour)}, "account-wx1", 1}, // it was forgotten, so it comes again
		} {
			f.setAccounts(c.accounts...)
			time.Sleep(2 * time.Second)
			changes, text := v.take()
			if len(changes) != 1 || changes[0].Order == nil || strings.Join(changes[0].Order, " ") != c.order || len(changes[0].Rows) != c.rows {
				t.Errorf("%d accounts: %s", len(c.accounts), text)
			}
		}
	})
}

// However often things change, a viewer is told once a second; and where nothing does, proxies see that the stream lives.
func TestAStreamIsCalmButAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(healthy("wx1", time.Hour))
		_, h := served(t, f)
		v := watch(h, "/events")
		defer v.leave()
		v.take()
		for i := range 1000 {
			time.Sleep(10 * time.Millisecond)
			f.setAccounts(healthy("wx1", time.Duration(i+10)*time.Minute))
		}
		if changes, _ := v.take(); len(changes) < 9 || len(changes) > 11 {
			t.Errorf("%d messages in 10 s", len(changes))
		}
		time.Sleep(time.Hour)
		changes, text := v.take()
		if beats := strings.Count(text, ": nothing new\n\n"); len(changes) > 1 || beats < 230 || beats > 241 {
			t.Errorf("%d messages and %d beats in an hour of rest", len(changes), beats)
		}
	})
}

func TestViewersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page, h := served(t, newFleet(healthy("wx1", time.Hour)))
		var viewers []*viewer
		for range viewerLimit {
			viewers = append(viewers, watch(h, "/events"))
		}
		if w := get(h, "/events"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("one too many: %d", w.Code)
		}
		if w := get(h, "/"); w.Code != http.StatusOK {
			t.Errorf("the page itself: %d", w.Code)
		}
		viewers[0].leave()
		<-viewers[0].done
		viewers[0] = watch(h, "/events")
		if viewers[0].code != http.StatusOK {
			t.Errorf("after one has left: %d", viewers[0].code)
		}
		page.Close()
		for _, v := range viewers {
			<-v.done
			v.leave()
		}
		if w := get(h, "/events"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("closed: %d", w.Code)
		}
	})
}

// pipes is a listener within the process, for fake time.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	conn, isOpen := <-p
	if !isOpen {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// A server's graceful end waits for the calls under way, and streams never end by themselves. One viewer reads, the other
// doesn't.
func TestAServerEndsAtOnceAlthoughPeopleWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page, h := served(t, newFleet(healthy("wx1", time.Hour)))
		l := make(pipes, 2)
		ctx, cancel := context.WithCancel(t.Context())
		var serving sync.WaitGroup
		serving.Go(func() { _ = httpd.Serve(ctx, l, h, slog.New(slog.DiscardHandler)) })
		ask := func() net.Conn {
			near, far := net.Pipe()
			l <- far
			_, _ = io.WriteString(near, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
			return near
		}
		reader, sleeper := ask(), ask()
		read := make(chan string, 1)
		go func() {
			data, _ := io.ReadAll(reader)
			read <- string(data)
		}()
		time.Sleep(5 * time.Second)
		began := time.Now()
		page.Close()
		cancel()
		close(l)
		serving.Wait()
		if took := time.Since(began); took > 2*lookEvery {
			t.Errorf("took %v", took)
		}
		has(t, <-read, "200 OK", "text/event-stream", "data: {")
		sleeper.Close()
		reader.Close()
	})
}
