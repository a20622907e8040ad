package sdktest

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/chanxuehong/wechat/mp/core"
	"github.com/chanxuehong/wechat/mp/user"
	"github.com/nats-io/nats.go"
	"github.com/silenceper/wechat/v2/miniprogram"
	mpconfig "github.com/silenceper/wechat/v2/miniprogram/config"
	"github.com/silenceper/wechat/v2/miniprogram/subscribe"
	"github.com/silenceper/wechat/v2/officialaccount"
	oaconfig "github.com/silenceper/wechat/v2/officialaccount/config"
	"github.com/silenceper/wechat/v2/util"
	"github.com/xen0n/go-workwx"

	"github.com/wxtoken/wxtoken/subscriber"
	"github.com/wxtoken/wxtoken/subscriber/wechatsdk"
)

// open opens the source of an account.
func open(appid string) *subscriber.Source {
	nc, err := nats.Connect(os.Getenv("NATS_URL"), subscriber.NATSOptions()...)
	if err != nil {
		log.Fatal(err)
	}
	src, err := subscriber.Open(context.Background(), nc, appid)
	if err != nil {
		log.Fatal(err)
	}
	return src
}

// An Official Account and a Mini Program by github.com/silenceper/wechat/v2. This SDK has one HTTP client for all accounts.
func Example_silenceper() {
	oaSource, mpSource := open("wx0123456789abcdef"), open("wxfedcba9876543210")
	defer oaSource.Close()
	defer mpSource.Close()
	oaTokens, mpTokens := wechatsdk.New(oaSource), wechatsdk.New(mpSource)
	util.DefaultHTTPClient = &http.Client{Transport: wechatsdk.Transport(nil, oaTokens, mpTokens)}

	oa := officialaccount.NewOfficialAccount(&oaconfig.Config{AppID: "wx0123456789abcdef"}) // no AppSecret
	oa.SetAccessTokenHandle(oaTokens)
	info, err := oa.GetUser().GetUserInfo("openid")
	_, _ = info, err

	mp := miniprogram.NewMiniProgram(&mpconfig.Config{AppID: "wxfedcba9876543210"})
	mp.SetAccessTokenContextHandle(mpTokens)
	err = mp.GetSubscribe().Send(&subscribe.Message{ToUser: "openid", TemplateID: "template"})
	_ = err
}

// An Official Account by github.com/chanxuehong/wechat. It refreshes by itself on 40001 and 42001; with Transport the other
// codes are healed too.
func Example_chanxuehong() {
	src := open("wx0123456789abcdef")
	defer src.Close()

	client := core.NewClient(wechatsdk.New(src), &http.Client{Transport: src.Transport(nil)})

	info, err := user.Get(client, "openid", "")
	_, _ = info, err
}

// WeCom by github.com/xen0n/go-workwx.
func Example_workwx() {
	src := open("ww0123456789abcdef")
	defer src.Close()

	app := workwx.New("ww0123456789abcdef",
		workwx.WithAccessTokenProvider(wechatsdk.New(src)),
		workwx.WithHTTPClient(&http.Client{Transport: src.Transport(nil)}),
	).WithApp("", 1000002) // no secret

	err := app.SendTextMessage(&workwx.Recipient{UserIDs: []string{"userid"}}, "hello", false)
	_ = err
}
