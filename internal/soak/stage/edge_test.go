package stage

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/soak/client"
	"github.com/wxtoken/wxtoken/internal/soak/record"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

// edgeWorld is an edge before a simulator.
type edgeWorld struct {
	t    *testing.T
	sim  *wxsim.Server
	edge *edge
	gate *Gate
	book *record.Book
}

const (
	appid  = "wx0123456789abcdef"
	secret = "secret-that-nobody-sees"
)

func newEdgeWorld(t *testing.T) *edgeWorld {
	sim, err := wxsim.New(wxsim.Options{Accounts: []wxsim.Account{{AppID: appid, Secret: secret}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	w := &edgeWorld{t: t, sim: sim, book: record.New(record.Rules{Ahead: time.Minute})}
	w.edge = newEdge(w.book, strings.TrimPrefix(server.URL, "http://"))
	if w.gate, err = w.edge.gate("publisher-1", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.edge.close)
	return w
}

// send sends a request through the gate. Its error is that of a connection that was cut.
func (w *edgeWorld) send(method, path, body string) (string, error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 200*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, w.gate.url()+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set(client.CallHeader, path)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return string(data), err
}

func (w *edgeWorld) verdict(call string) record.Judged {
	w.t.Helper()
	w.book.Failed(record.Fail{Client: "service-1", Call: call, AppID: appid, What: "failed", Begin: time.Now(), End: time.Now()})
	judged := w.book.Judge()
	return judged[len(judged)-1]
}

func TestTheEdgeSeesMintsAndWhatBecomesOfThem(t *testing.T) {
	w := newEdgeWorld(t)
	ask := `{"grant_type":"client_credential","appid":"` + appid + `","secret":"` + secret + `"}`
	answer, err := w.send("POST", "/cgi-bin/stable_token", ask)
	if err != nil || !strings.Contains(answer, "access_token") {
		t.Fatalf("%q, %v", answer, err)
	}
	if !w.edge.knows([]byte("printed: " + answer)) {
		t.Error("a token in a text isn't found")
	}
	if w.edge.knows([]byte(strings.Repeat("innocent", 20))) {
		t.Error("a token is found where there is none")
	}
	if _, err := w.sim.AddFault(wxsim.Fault{Group: wxsim.GroupMint, Kind: wxsim.Hang, After: true, Count: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.send("GET", "/cgi-bin/token?grant_type=client_credential&appid="+appid+"&secret="+secret, ""); err == nil {
		t.Fatal("a mint that hangs was answered")
	}
	for _, m := range w.sim.Ledger(wxsim.All) {
		w.book.Minted(record.Mint{AppID: m.AppID, Channel: string(m.Channel), Mode: string(m.Mode), By: string(m.By), ID: m.ID, At: m.At, Expires: m.ExpiresAt})
	}
	err = await(t.Context(), 10*time.Second, "both requests in the book", func(context.Context) error {
		oneMinter, notLost := w.book.Invariants()[0], w.book.Invariants()[8]
		if oneMinter.Looked != 2 || notLost.Looked != 1 || len(notLost.Violated) != 1 { // nobody stored the one whose answer came
			return fmt.Errorf("%+v, %+v", oneMinter, notLost)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTheEdgeSeesWhyCallsFail(t *testing.T) {
	w := newEdgeWorld(t)
	if _, err := w.send("GET", "/cgi-bin/user/get?access_token=unknown", ""); err != nil {
		t.Fatal(err)
	}
	if got := w.verdict("/cgi-bin/user/get?access_token=unknown"); got.Verdict != record.Ours || !strings.Contains(got.Why, "refused") {
		t.Errorf("a token that never was: %+v", got)
	}
	if _, err := w.sim.AddFault(wxsim.Fault{Group: wxsim.GroupBusiness, Kind: wxsim.BadGateway}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.send("GET", "/cgi-bin/user/get?access_token=x", ""); err != nil {
		t.Fatal(err)
	}
	if got := w.verdict("/cgi-bin/user/get?access_token=x"); got.Verdict != record.WeChat {
		t.Errorf("a 502 of WeChat's: %+v", got)
	}
	w.gate.Shut()
	if _, err := w.send("GET", "/cgi-bin/user/get?access_token=y", ""); err == nil {
		t.Error("a gate that is shut lets a call through")
	}
	w.gate.Open()
	if _, err := w.send("GET", "/cgi-bin/user/get?access_token=y", ""); err != nil {
		t.Error("a gate that was opened lets nothing through:", err)
	}
}
