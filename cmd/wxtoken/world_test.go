package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/subscriber"
)

const (
	testAppID  = "wxfedcba9876543210"
	testSecret = "0123456789abcdef0123456789abcdef"
)

// world is a simulator and publishers with their embedded server or a cluster, each a process of its own.
type world struct {
	t         *testing.T
	simURL    string
	natsURL   string
	env       []string // of publishers
	sim       *process
	publisher *process   // the one that was started last
	processes []*process // all that were ever started
}

// newWorld starts the simulator; tokens live for life.
func newWorld(t *testing.T, life time.Duration, env ...string) *world {
	t.Helper()
	simAddr, natsAddr := freeAddr(t), freeAddr(t)
	w := &world{t: t, simURL: "http://" + simAddr, natsURL: "nats://" + natsAddr}
	w.sim = start(t, "simulator", "WX_SIM_ADDR="+simAddr, "WX_SIM_ACCOUNTS="+testAppID+":"+testSecret, fmt.Sprintf("WX_SIM_EXPIRES_IN=%v", life))
	w.processes = append(w.processes, w.sim)
	w.sim.awaitLine("simulated WeChat runs")
	w.env = append([]string{
		"WX_APPID=" + testAppID, "WX_SECRET=" + testSecret, "WX_API_BASE=" + w.simURL,
		"WX_DATA_DIR=" + t.TempDir(), "WX_EMBEDDED_ADDR=" + natsAddr,
	}, env...)
	return w
}

func (w *world) startPublisher(env ...string) *process {
	w.t.Helper()
	w.publisher = start(w.t, "publisher", append(w.env, env...)...)
	w.processes = append(w.processes, w.publisher)
	return w.publisher
}

// connect is a service's connection.
func (w *world) connect() *nats.Conn {
	w.t.Helper()
	nc, err := nats.Connect(w.natsURL, subscriber.NATSOptions()...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(nc.Close)
	return nc
}

func (w *world) open(nc *nats.Conn) *subscriber.Source {
	w.t.Helper()
	src, err := subscriber.Open(w.t.Context(), nc, testAppID)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(src.Close)
	return src
}

// control calls the simulator's /_sim/ endpoints.
func (w *world) control(method, path, body string, into any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.simURL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, data, err)
	}
	if into != nil {
		if err := json.Unmarshal(data, into); err != nil {
			w.t.Fatalf("%s: %v", path, err)
		}
	}
}

func (w *world) stats() (s wxsim.Stats) {
	w.t.Helper()
	w.control(http.MethodGet, "/_sim/stats?appid="+testAppID, "", &s)
	return s
}

// call makes a business call as a service would, and returns WeChat's errcode.
func (w *world) call(token string) int {
	w.t.Helper()
	var reply struct {
		ErrCode int `json:"errcode"`
	}
	w.control(http.MethodGet, "/cgi-bin/user/get?access_token="+token, "", &reply)
	return reply.ErrCode
}

// checkForSecrets looks for the AppSecret and the stored tokens in all that the processes printed.
func (w *world) checkForSecrets(nc *nats.Conn) {
	w.t.Helper()
	var printed strings.Builder
	for _, p := range w.processes {
		printed.WriteString(p.out.String())
	}
	if strings.Contains(printed.String(), testSecret) {
		w.t.Error("the AppSecret was printed")
	}
	for _, v := range w.history(nc) {
		if strings.Contains(printed.String(), v.Token.Reveal()) {
			w.t.Errorf("token %s was printed", v.ID)
		}
	}
}

// history is what the key holds and held, the oldest first.
func (w *world) history(nc *nats.Conn) []wire.Value {
	w.t.Helper()
	entries, err := w.bucket(nc, wire.DefaultBucket).History(w.t.Context(), wire.Key(testAppID, wire.KindAccessToken))
	if err != nil {
		w.t.Fatal(err)
	}
	var values []wire.Value
	for _, entry := range entries {
		v, err := wire.DecodeValue(entry.Value())
		if err != nil {
			w.t.Fatal(err)
		}
		values = append(values, v)
	}
	return values
}

func (w *world) bucket(nc *nats.Conn, name string) jetstream.KeyValue {
	w.t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		w.t.Fatal(err)
	}
	kv, err := js.KeyValue(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return kv
}
