package wxsim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// This file needs no other test file, so that .ci/fuzz can build it without them.

const (
	fuzzAppID  = "wx0123456789abcdef"
	fuzzSecret = "s3cret-of-the-account"
)

func post(path, body string) []byte {
	return []byte("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body))
}

// chunked lets the fuzzer change a body without its length.
func chunked(body string) string {
	var b strings.Builder
	for rest := body; rest != ""; rest = rest[min(9, len(rest)):] {
		part := rest[:min(9, len(rest))]
		b.WriteString(string("0123456789"[len(part)]) + "\r\n" + part + "\r\n")
	}
	return b.String() + "0\r\n\r\n"
}

// Whole requests: of the API, with credentials or a token ($T) and with media, and of what controls the simulator.
func FuzzSimulator(f *testing.F) {
	const right = `{"grant_type":"client_credential","appid":"` + fuzzAppID + `","secret":"` + fuzzSecret + `","force_refresh":true}`
	for _, target := range []string{
		"/cgi-bin/token?grant_type=client_credential&appid=" + fuzzAppID + "&secret=" + fuzzSecret, "/cgi-bin/get_api_domain_ip?access_token=$T",
		"/cgi-bin/media/get?access_token=$T&media_id=m1&size=9223372036854775807", "/cgi-bin/ticket/getticket?access_token=$T&type=jsapi", "/cgi-bin/x?access_token=%zz",
		"/_sim/", "/_sim/stats?appid=*", "/_sim/token?channel=token&reveal=0", "/_sim/ledger?after=9223372036854775808&limit=1", "/_sim/knobs", "/_sim/faults", "/_sim/none",
	} {
		f.Add([]byte("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	}
	for path, body := range map[string]string{
		"/cgi-bin/stable_token": right, "/cgi-bin/clear_quota/v2": strings.Replace(right, "secret", "appsecret", 1), "/cgi-bin/clear_quota?access_token=$T": `{"appid":"` + fuzzAppID + `"}`,
		"/cgi-bin/openapi/quota/get?access_token=$T": `{"cgi_path":"/cgi-bin/token"}`, "/cgi-bin/openapi/rid/get?access_token=$T": `{"rid":"61c5-1-2"}`,
		"/cgi-bin/media/upload?access_token=$T": "body", "/_sim/accounts": `{"appid":"wx1","secret":"s","whitelist":["127.0.0.1"]}`,
		"/_sim/faults": `{"appid":"*","group":"mint","kind":"short_expires","after":false,"count":1,"probability":0.5,"delay":"1m","expires_in":1e300,"for":-1}`,
		"/_sim/revoke": `{"channel":"stable_token","sticky":true}`, "/_sim/mint": `{"channel":"token","force":false}`, "/_sim/state": `{"state":"secret_frozen"}`,
		"/_sim/whitelist": `{"ips":["203.0.113.0/24","::1"],"now":true}`, "/_sim/confirm": `{"action":"refuse","ip":"192.0.2.1"}`, "/_sim/secret": `{"secret":"new"}`,
		"/_sim/expires_in": `{"appid":"*","expires_in":"2562047h"}`, "/_sim/knobs": `{"appid":"*","replaced_code":42001,"whitelist_lag":1e10,"token_per_day":-1,"reset_hour":23}`,
	} {
		f.Add(post(path, body))
	}
	for _, number := range []string{"7200", "1e300", "-0.5", `"1h"`, "9223372037", "1e-12"} {
		f.Add([]byte(number))
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		checkDuration(t, request)
		s := newFuzzed(t)
		token := s.minted(t)
		request = bytes.ReplaceAll(request, []byte("$T"), []byte(token))
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
		if err != nil {
			return
		}
		control := isControl(r.URL.Path)
		said := s.ask(r)
		if strings.Contains(said.body.String(), fuzzSecret) && !bytes.Contains(request, []byte(fuzzSecret)) {
			t.Errorf("%q is told the secret", request)
		}
		if control && strings.Trim(r.URL.Path, "/") != "_sim" && !json.Valid(said.body.Bytes()) {
			t.Errorf("%q is answered with %q", request, &said.body)
		}
		if !control {
			s.minted(t)
		}
		s.checkStillRuns(t)
	})
}

// checkDuration checks that a number of seconds is read as such or refused.
func checkDuration(t *testing.T, data []byte) {
	t.Helper()
	var seconds float64
	var d duration
	if json.Unmarshal(data, &seconds) != nil || json.Unmarshal(data, &d) != nil {
		return
	}
	if off := math.Abs(time.Duration(d).Seconds() - seconds); off > 1e-8+math.Abs(seconds)*1e-9 {
		t.Errorf("%s seconds are read as %v", data, time.Duration(d))
	}
}

type fuzzedSimulator struct{ *Server }

func newFuzzed(t *testing.T) fuzzedSimulator {
	t.Helper()
	s, err := New(Options{Accounts: []Account{{AppID: fuzzAppID, Secret: fuzzSecret}}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	s.Close() // so that nothing is held back
	return fuzzedSimulator{s}
}

// fuzzedAnswer takes so much of an answer: media may be endless.
type fuzzedAnswer struct {
	*httptest.ResponseRecorder
	body bytes.Buffer
}

func (a *fuzzedAnswer) Write(b []byte) (int, error) {
	if a.body.Len() > 64<<10 {
		return 0, errors.New("the client has left")
	}
	return a.body.Write(b)
}

// ask has a request answered, or cut off.
func (s fuzzedSimulator) ask(r *http.Request) *fuzzedAnswer {
	a := &fuzzedAnswer{ResponseRecorder: httptest.NewRecorder()}
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			panic(p)
		}
	}()
	s.ServeHTTP(a, r)
	return a
}

// minted is a token that the right credentials must get.
func (s fuzzedSimulator) minted(t *testing.T) string {
	t.Helper()
	var got struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	a := s.ask(httptest.NewRequest(http.MethodGet, "/cgi-bin/token?grant_type=client_credential&appid="+fuzzAppID+"&secret="+fuzzSecret, nil))
	if err := json.Unmarshal(a.body.Bytes(), &got); err != nil || got.AccessToken == "" || got.ExpiresIn != 7200 {
		t.Fatalf("mint: %s", &a.body)
	}
	return got.AccessToken
}

// checkStillRuns checks that whatever was set, the simulator can tell of itself, and takes the settings that it tells.
func (s fuzzedSimulator) checkStillRuns(t *testing.T) {
	t.Helper()
	for _, path := range []string{"stats", "token?appid=" + fuzzAppID, "ticket?appid=" + fuzzAppID, "ledger", "accounts", "faults", "knobs?appid=" + fuzzAppID} {
		if a := s.ask(httptest.NewRequest(http.MethodGet, "/_sim/"+path, nil)); !json.Valid(a.body.Bytes()) || a.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.Code, &a.body)
		}
	}
	before, _ := s.Knobs(fuzzAppID)
	data, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	a := s.ask(httptest.NewRequest(http.MethodPost, "/_sim/knobs", strings.NewReader(`{"appid":"`+fuzzAppID+`",`+string(data[1:]))))
	if after, _ := s.Knobs(fuzzAppID); after != before {
		t.Errorf("%s, set again, are %+v: %s", data, after, &a.body)
	}
	settings := s.account(fuzzAppID).settings
	for _, window := range []time.Duration{time.Minute, 24 * time.Hour, 31 * 24 * time.Hour} {
		if scaled := settings.scale(window); scaled <= 0 && settings.expiresIn > time.Minute {
			t.Errorf("with tokens that live %v, %v become %v", settings.expiresIn, window, scaled)
		}
	}
}
