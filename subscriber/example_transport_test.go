package subscriber_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/internal/wxsim"
	"github.com/wxtoken/wxtoken/subscriber"
)

// The token dies early, and the call is healed: it takes a moment longer, that is all.
func ExampleSource_Transport() {
	weChat, nc, stop := platform() // a simulated WeChat, and NATS with a publisher
	defer stop()
	src, err := subscriber.Open(context.Background(), nc, "wx0123456789abcdef")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer src.Close()

	client := &http.Client{Transport: src.Transport(weChat.Transport()), Timeout: 30 * time.Second} // in production: src.Transport(nil)
	call := func() {
		resp, err := client.Get("https://api.weixin.qq.com/cgi-bin/user/info?openid=o1")
		if err != nil {
			fmt.Println(err)
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		fmt.Println(string(body), err)
	}
	call()
	_ = weChat.Revoke("wx0123456789abcdef", wxsim.ChannelToken, false)
	call()
	// Output:
	// {"subscribe":1,"openid":"o1","language":"zh_CN"} <nil>
	// {"subscribe":1,"openid":"o1","language":"zh_CN"} <nil>
}

func ExampleSource_Client() {
	weChat, nc, stop := platform()
	defer stop()
	server := httptest.NewServer(weChat)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	src, err := subscriber.Open(context.Background(), nc, "wx0123456789abcdef", subscriber.WithAPIHosts(host))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer src.Close()

	client := src.Client()
	client.Timeout = 30 * time.Second
	defer client.CloseIdleConnections()
	resp, err := client.Post(server.URL+"/cgi-bin/message/custom/send", "application/json", strings.NewReader(`{"touser":"o1"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(string(body), err)
	// Output: {"errcode":0,"errmsg":"ok"} <nil>
}

// platform stands in for WeChat, NATS and a publisher.
func platform() (weChat *wxsim.Server, nc *nats.Conn, stop func()) {
	weChat = must(wxsim.New(wxsim.Options{Accounts: []wxsim.Account{{AppID: "wx0123456789abcdef", Secret: "secret"}}}))
	dir := must(os.MkdirTemp("", "wxtoken"))
	running := must(server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true}))
	running.Start()
	nc = must(nats.Connect("", append(subscriber.NATSOptions(), nats.InProcessServer(running))...))
	kv := must(must(jetstream.New(nc)).CreateKeyValue(context.Background(), jetstream.KeyValueConfig{Bucket: "wx_token",
		RePublish: &jetstream.RePublish{Source: "$KV.wx_token.>", Destination: "wx.token.update.>"}}))
	must(mint(weChat, kv, 1))
	must(nc.Subscribe("wx.token.refresh.*", func(msg *nats.Msg) {
		if _, err := mint(weChat, kv, 2); err == nil { // the update may be there, and the example over, before the ack
			_ = msg.Respond([]byte(`{"outcome":"replaced"}`))
		}
	}))
	return weChat, nc, func() {
		nc.Close()
		running.Shutdown()
		running.WaitForShutdown()
		_ = os.RemoveAll(dir)
	}
}

// mint does what a publisher does, without any care.
func mint(weChat *wxsim.Server, kv jetstream.KeyValue, generation uint64) (revision uint64, err error) {
	client := &http.Client{Transport: weChat.Transport()}
	resp := must(client.Get("https://api.weixin.qq.com/cgi-bin/token?grant_type=client_credential&appid=wx0123456789abcdef&secret=secret"))
	defer resp.Body.Close()
	var minted struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&minted); err != nil {
		return 0, err
	}
	now := time.Now()
	value := wire.Value{AppID: "wx0123456789abcdef", Kind: wire.KindAccessToken, Token: secret.New(minted.Token),
		ExpiresIn: 2 * time.Hour, MintedAt: now, ExpiresAt: now.Add(2 * time.Hour), Generation: generation}
	return kv.Put(context.Background(), "wx0123456789abcdef.access_token", must(value.Encode()))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
