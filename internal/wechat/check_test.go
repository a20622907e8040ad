package wechat

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/wxtoken/wxtoken/internal/secret"
)

func TestCheckOnTheWire(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.Method != "GET" || r.URL.Path != "/cgi-bin/get_api_domain_ip" || len(q) != 1 || q.Get("access_token") != testToken {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		io.WriteString(w, `{"ip_list":["203.0.113.1"]}`)
	})
	if err := newAccount(t, StableToken, Config{Bases: []string{srv.URL}}).Check(context.Background(), secret.New(testToken)); err != nil {
		t.Error(err)
	}
}

func TestCheckVerdicts(t *testing.T) {
	accepted := []string{`{"ip_list":[]}`, `{"errcode":0,"errmsg":"ok"}`, `{"errcode":0,"ip_list":["203.0.113.1"]}`, `{"errcode":48001,"errmsg":"api unauthorized"}`}
	for _, body := range accepted {
		if err := checkWith(t, body); err != nil {
			t.Errorf("%s: %v, want accepted", body, err)
		}
	}
	unknown := []string{`{}`, `{"code":200}`, `null`, `{"ip_list":null}`, `{"ip_list":"x"}`, `<html>`, ``}
	for _, body := range unknown {
		e := asError(t, checkWith(t, body))
		if e.Class != Transient || e.Code != 0 || e.Ambiguous() {
			t.Errorf("%s: %v, want not known", body, e)
		}
	}
}

func TestCheckCodes(t *testing.T) {
	want := map[int]Class{
		40001: Stale, 40014: Stale, 42001: Stale,
		-1: Transient, 45009: DayQuota, 45011: MinuteQuota,
		40013: Permanent, 40066: Permanent, 40164: Permanent, 41001: Permanent, 45035: Permanent, 48004: Permanent, 50002: Permanent, 61004: Permanent,
		42002: Permanent, 42003: Permanent, 42006: Permanent, 42007: Permanent, 99999: Permanent,
	}
	for code, class := range want {
		e := asError(t, checkWith(t, fmt.Sprintf(`{"errcode":%d,"errmsg":"x"}`, code)))
		if e.Class != class || e.Code != code || e.Op != OpCheck || e.Hint == "" {
			t.Errorf("%d: class %v, want %v: %v", code, e.Class, class, e)
		}
		if IsStale(code) != (class == Stale) {
			t.Errorf("IsStale(%d) = %v", code, IsStale(code))
		}
	}
}

func checkWith(t *testing.T, body string) error {
	t.Helper()
	return newAccount(t, StableToken, Config{Transport: answers(body)}).Check(context.Background(), secret.New(testToken))
}
