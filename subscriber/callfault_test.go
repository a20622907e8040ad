package subscriber

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/wxtoken/wxtoken/internal/tokenquery"
	"github.com/wxtoken/wxtoken/internal/wxsim"
)

func TestTransportWithoutPublishers(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		a.asked.stop()
		settle() // it is deaf only then
		a.revoke()
		a.get(t.Context(), "/cgi-bin/user/info?openid=o1", 40001) // WeChat's own reply
		if n := a.wire.sent(t); n != 1 {
			t.Errorf("%d requests", n)
		}
		time.Sleep(3 * time.Hour)
		_, err := a.client.Get(apiURL + "/cgi-bin/user/info?openid=o1")
		if !errors.Is(err, ErrExpired) || !errors.Is(err, ErrNoPublisher) {
			t.Errorf("with an expired token: %v", err)
		}
		a.asked = a.respond(a.answer)
		a.get(t.Context(), "/cgi-bin/user/info?openid=o1", 0)
		a.src.Close()
		body := &closeCounter{}
		if _, err := a.client.Post(apiURL+"/cgi-bin/menu/create", "", body); !errors.Is(err, ErrClosed) || body.closed != 1 {
			t.Errorf("after Close: %v, body closed %d times", err, body.closed)
		}
	})
}

type closeCounter struct{ closed int }

func (c *closeCounter) Read([]byte) (int, error) { return 0, io.EOF }
func (c *closeCounter) Close() error             { c.closed++; return nil }

// The refusal is in hand: a refresh that takes too long must not turn it into an error.
func TestTransportLeavesTimeForTheReply(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		a.silence()
		a.revoke()
		for _, c := range []struct{ limit, took time.Duration }{{0, healLimit}, {4 * time.Second, 3 * time.Second}, {time.Hour, healLimit}} {
			ctx, cancel := context.WithCancel(t.Context())
			if c.limit > 0 {
				ctx, cancel = context.WithTimeout(t.Context(), c.limit)
			}
			began := time.Now()
			a.get(ctx, "/cgi-bin/user/info?openid=o1", 40001)
			if took := time.Since(began).Round(100 * time.Millisecond); took != c.took {
				t.Errorf("limit %v: it took %v", c.limit, took)
			}
			cancel()
		}
		a.client.Timeout = 4 * time.Second
		a.get(t.Context(), "/cgi-bin/user/info?openid=o1", 40001)
	})
}

// WeChat's servers close what stands still. By then the refusal must be in hand.
func TestTransportKeepsTheRefusalWhole(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		a.silence()
		refusal := `{"errcode":40001,"errmsg":"` + strings.Repeat("x", 1000) + `"}`
		a.client.Transport = a.src.Transport(baseFunc(func(req *http.Request) (*http.Response, error) {
			resp := replying(refusal)
			resp.Body = io.NopCloser(&perishable{iotest.OneByteReader(resp.Body), time.Now().Add(time.Second)})
			return resp, nil
		}))
		resp, err := a.client.Get(apiURL + "/cgi-bin/user/info?openid=o1")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != refusal || resp.ContentLength != int64(len(body)) {
			t.Errorf("%q, %v", body, err)
		}
	})
}

// perishable can be read until a time.
type perishable struct {
	io.Reader
	until time.Time
}

func (p *perishable) Read(b []byte) (int, error) {
	if time.Now().After(p.until) {
		return 0, io.ErrUnexpectedEOF
	}
	return p.Reader.Read(b)
}

func TestTransportEndsWithItsCtx(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		a.silence()
		a.revoke()
		ctx, cancel := context.WithCancel(t.Context())
		a.meanwhile(func() {
			time.Sleep(time.Second)
			cancel()
		})
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, apiURL+"/cgi-bin/user/info?openid=o1", nil)
		if _, err := a.client.Do(req); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled in a refresh: %v", err)
		}
		if n := a.wire.sent(t); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestTransportSurvivesOtherFaults(t *testing.T) {
	for _, kind := range []wxsim.Kind{wxsim.BadGateway, wxsim.Portal, wxsim.Garbage, wxsim.Empty, wxsim.Busy, wxsim.Drop} {
		withAPI(t, func(t *testing.T, a *apiWorld) {
			if _, err := a.sim.AddFault(wxsim.Fault{Group: wxsim.GroupBusiness, Kind: kind, Count: 1}); err != nil {
				t.Fatal(err)
			}
			resp, err := a.client.Get(apiURL + "/cgi-bin/user/info?openid=o1")
			if (err != nil) != (kind == wxsim.Drop) {
				t.Errorf("%s: %v", kind, err)
			}
			if err == nil {
				resp.Body.Close()
			} else if strings.Contains(err.Error(), tokenquery.Param) {
				t.Errorf("%s: a token is shown: %v", kind, err)
			}
			if n := a.wire.sent(t); n != 1 || a.asked.requests.Load() != 0 {
				t.Errorf("%s: %d requests, %d refresh requests", kind, n, a.asked.requests.Load())
			}
		})
	}
}

// A refusal that comes byte by byte, and one that never ends before the caller does.
func TestTransportReadsSlowRefusals(t *testing.T) {
	withAPI(t, func(t *testing.T, a *apiWorld) {
		a.revoke()
		if _, err := a.sim.AddFault(wxsim.Fault{Kind: wxsim.SlowBody, Group: wxsim.GroupBusiness, Count: 1}); err != nil {
			t.Fatal(err)
		}
		a.get(t.Context(), "/cgi-bin/user/info?openid=o1", 0)
		if n := a.wire.sent(t); n != 2 {
			t.Errorf("%d requests", n)
		}
	})
}
