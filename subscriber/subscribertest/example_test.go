package subscribertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/wxtoken/wxtoken/subscriber"
	"github.com/wxtoken/wxtoken/subscriber/subscribertest"
)

// sender is code under test: it calls WeChat's API, and reports a token that WeChat refuses.
type sender struct {
	src    *subscriber.Source
	client *http.Client
}

func (s *sender) send(ctx context.Context) error {
	tok, err := s.src.Token()
	if err != nil {
		return err
	}
	code, err := s.post(tok)
	if err != nil || code != 42001 {
		return err
	}
	if tok, err = s.src.Refresh(ctx, tok); err != nil {
		return err
	}
	_, err = s.post(tok)
	return err
}

func (s *sender) post(tok subscriber.Token) (errcode int, err error) {
	resp, err := s.client.Post("https://api.weixin.qq.com/cgi-bin/message/custom/send?access_token="+tok.AccessToken(), "application/json", nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var answer struct{ ErrCode int }
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return answer.ErrCode, err
}

func Example() {
	// func TestSendHeals(t *testing.T) {
	_ = func(t *testing.T) {
		d := subscribertest.New(t, "wx0123456789abcdef")
		s := &sender{d.Source(), &http.Client{Transport: d.RoundTripper(nil)}}

		d.Refuse(42001) // WeChat doesn't accept the token any more, and the source doesn't know
		if err := s.send(t.Context()); err != nil {
			t.Errorf("send: %v", err)
		}
		if reports := d.Reports(); len(reports) != 1 || reports[0].Token != "token-1" {
			t.Errorf("reports: %+v", reports)
		}
	}
}

func ExampleDouble_OnRefresh() {
	_ = func(t *testing.T) {
		d := subscribertest.New(t, "wx0123456789abcdef")
		s := &sender{d.Source(), &http.Client{Transport: d.RoundTripper(nil)}}

		d.Refuse(42001)
		d.OnRefresh(subscribertest.NoPublisher())
		if err := s.send(t.Context()); !errors.Is(err, subscriber.ErrNoPublisher) {
			t.Errorf("send without publishers: %v", err)
		}
	}
}

func ExampleDouble_Expire() {
	_ = func(t *testing.T) {
		d := subscribertest.New(t, "wx0123456789abcdef")
		s := &sender{d.Source(), &http.Client{Transport: d.RoundTripper(nil)}}

		d.Expire()
		if err := s.send(t.Context()); !errors.Is(err, subscriber.ErrExpired) {
			t.Errorf("send with an expired token: %v", err)
		}
	}
}

// Code under test that leaves healing to Transport needs no other.
func ExampleDouble_RoundTripper() {
	_ = func(t *testing.T) {
		d := subscribertest.New(t, "wx0123456789abcdef")
		api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // what WeChat does if the token is right
			fmt.Fprint(w, `{"total":1,"count":1,"data":{"openid":["o-user"]}}`)
		})
		client := &http.Client{Transport: d.Source().Transport(d.RoundTripper(api))}

		d.Refuse(40001)
		resp, err := client.Get("https://api.weixin.qq.com/cgi-bin/user/get")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if n := len(d.Reports()); n != 1 {
			t.Errorf("%d reports, want 1", n)
		}
	}
}
