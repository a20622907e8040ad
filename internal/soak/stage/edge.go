package stage

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxtoken/wxtoken/internal/soak/client"
	"github.com/wxtoken/wxtoken/internal/soak/record"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// edge is the way to WeChat: a proxy with an address for each process. It writes into the book what publishers ask for
// and what calls weren't served.
type edge struct {
	book  *record.Book
	proxy *httputil.ReverseProxy
	gates map[string]*Gate // by process

	mu   sync.Mutex
	ends map[string]bool // the last tokenEnd characters of every token
}

const tokenEnd = 32

// Gate is one process's way to WeChat.
type Gate struct {
	addr   string
	server *http.Server
	shut   atomic.Int32 // how many want it so
}

// Shut drops what is sent, until Open is called as often.
func (g *Gate) Shut() { g.shut.Add(1) }

// Open undoes one Shut.
func (g *Gate) Open() { g.shut.Add(-1) }

func (g *Gate) url() string { return "http://" + g.addr }

func newEdge(book *record.Book, wechat string) *edge {
	e := &edge{book: book, gates: make(map[string]*Gate), ends: make(map[string]bool)}
	e.proxy = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: wechat}) },
		Transport:      &http.Transport{MaxIdleConnsPerHost: 100, DisableCompression: true},
		ModifyResponse: e.answered,
		ErrorHandler:   e.unanswered,
		ErrorLog:       log.New(io.Discard, "", 0), // URLs hold secrets
	}
	return e
}

func (e *edge) gate(name, addr string) (*Gate, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	g := &Gate{addr: l.Addr().String()}
	g.server = &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.shut.Load() > 0 {
			panic(http.ErrAbortHandler)
		}
		e.serve(name, w, r)
	})}
	go func() { _ = g.server.Serve(l) }() // it ends when it is closed
	e.gates[name] = g
	return g, nil
}

func (e *edge) close() {
	for _, g := range e.gates {
		_ = g.server.Close() // connections that are cut are none of an ended soak's concern
	}
}

func (e *edge) serve(from string, w http.ResponseWriter, r *http.Request) {
	p := &passing{from: from, begin: time.Now(), call: r.Header.Get(client.CallHeader)}
	switch r.URL.Path {
	case "/cgi-bin/token", "/cgi-bin/stable_token":
		p.mint, p.appid = true, appidOf(r)
	default:
		token := r.URL.Query().Get("access_token")
		p.id = wire.TokenID(token)
	}
	e.proxy.ServeHTTP(w, r.WithContext(p.in(r.Context())))
}

// appidOf reads whose token a request is for, and leaves the body as it was.
func appidOf(r *http.Request) string {
	if appid := r.URL.Query().Get("appid"); appid != "" {
		return appid
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16)) // what is cut off fails at WeChat
	r.Body = io.NopCloser(bytes.NewReader(body))
	var ask struct {
		AppID string `json:"appid"`
	}
	_ = json.Unmarshal(body, &ask)
	return ask.AppID
}

// answered looks at WeChat's answer before it goes on.
func (e *edge) answered(resp *http.Response) error {
	p := passingOf(resp.Request)
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	_ = resp.Body.Close() // all of it is read
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if ctxErr := resp.Request.Context().Err(); ctxErr != nil {
		return ctxErr // nobody waits for it any more
	}
	var answer struct {
		ErrCode     int    `json:"errcode"`
		ErrMsg      string `json:"errmsg"`
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	bad := json.Unmarshal(body, &answer)
	if p.mint {
		e.minted(p, answer.ErrCode, answer.AccessToken, answer.ExpiresIn)
		return nil
	}
	if resp.StatusCode == http.StatusOK && bad == nil && answer.ErrCode == 0 {
		return nil
	}
	what := answer.ErrMsg
	if bad != nil || resp.StatusCode != http.StatusOK {
		what = "status " + resp.Status + ", and no answer of WeChat's"
	}
	what, _, _ = strings.Cut(what, " rid:")
	e.book.Attempted(p.call, record.Attempt{
		Code: answer.ErrCode, What: what, Refused: client.IsStale(answer.ErrCode), TokenID: p.id, Begin: p.begin, End: time.Now(),
	})
	return nil
}

func (e *edge) minted(p *passing, errcode int, token string, expiresIn int) {
	request := record.MintRequest{Publisher: p.from, AppID: p.appid, Code: errcode, Begin: p.begin, End: time.Now()}
	if token != "" && expiresIn > 0 {
		request.ID = wire.TokenID(token)
		e.mu.Lock()
		e.ends[token[max(0, len(token)-tokenEnd):]] = true
		e.mu.Unlock()
	}
	e.book.Requested(request)
}

func (e *edge) unanswered(_ http.ResponseWriter, r *http.Request, err error) {
	p := passingOf(r)
	if p.mint {
		e.book.Requested(record.MintRequest{Publisher: p.from, AppID: p.appid, Begin: p.begin, End: time.Now()})
	} else {
		what := "WeChat didn't answer"
		if errors.Is(err, r.Context().Err()) {
			what = "the caller gave up"
		}
		e.book.Attempted(p.call, record.Attempt{What: what, Unanswered: true, TokenID: p.id, Begin: p.begin, End: time.Now()})
	}
	panic(http.ErrAbortHandler)
}

// Gates are the ways of all processes to WeChat.
func (s *Stage) Gates() []*Gate { return slices.Collect(maps.Values(s.edge.gates)) }
