package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chanxuehong/wechat/mp/core"
	"github.com/chanxuehong/wechat/mp/message/custom"
	mpuser "github.com/chanxuehong/wechat/mp/user"
	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/credential"
	"github.com/silenceper/wechat/v2/miniprogram"
	"github.com/silenceper/wechat/v2/miniprogram/business"
	mpconfig "github.com/silenceper/wechat/v2/miniprogram/config"
	"github.com/silenceper/wechat/v2/miniprogram/subscribe"
	"github.com/silenceper/wechat/v2/officialaccount"
	oaconfig "github.com/silenceper/wechat/v2/officialaccount/config"
	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/util"
	"github.com/xen0n/go-workwx"

	"github.com/wxtoken/wxtoken/subscriber/wechatsdk"
)

// What SDKs take, as they declare it.
var (
	_ credential.AccessTokenHandle        = (*wechatsdk.Adapter)(nil)
	_ credential.AccessTokenContextHandle = (*wechatsdk.Adapter)(nil)
	_ core.AccessTokenServer              = (*wechatsdk.Adapter)(nil)
	_ workwx.ITokenProvider               = (*wechatsdk.Adapter)(nil)
)

// sdk makes calls of WeChat's API, by an SDK that has its tokens from an adapter. Both calls send a token; the second has
// a body.
type sdk struct {
	name         string
	calls        func(a *wechatsdk.Adapter, client *http.Client) [2]func() error
	sharesClient bool // has one HTTP client for the process, instead of the one it is given
}

var (
	officialAccount = sdk{"silenceper/wechat Official Account", silenceperOfficialAccount, true}
	miniProgram     = sdk{"silenceper/wechat Mini Program", silenceperMiniProgram, true}
	chanxuehong     = sdk{"chanxuehong/wechat", chanxuehongCalls, false}
	weCom           = sdk{"go-workwx", workwxCalls, false}
	noSDK           = sdk{"net/http alone", plainCalls, false}
)

// silenceperOfficialAccount uses the client that shareClient sets, like the Mini Program below.
func silenceperOfficialAccount(a *wechatsdk.Adapter, _ *http.Client) [2]func() error {
	oa := officialaccount.NewOfficialAccount(&oaconfig.Config{AppID: "wx-by-handle", Cache: cache.NewMemory()})
	oa.SetAccessTokenHandle(a)
	get := func() error {
		_, err := oa.GetUser().GetUserInfo("o-user")
		return err
	}
	send := func() error {
		return message.NewMessageManager(oa.GetContext()).Send(message.NewCustomerTextMessage("o-user", "hello"))
	}
	return [2]func() error{get, send}
}

func silenceperMiniProgram(a *wechatsdk.Adapter, _ *http.Client) [2]func() error {
	mp := miniprogram.NewMiniProgram(&mpconfig.Config{AppID: "wx-by-handle", Cache: cache.NewMemory()})
	mp.SetAccessTokenContextHandle(a)
	phone := func() error {
		_, err := mp.GetBusiness().GetPhoneNumberWithContext(context.Background(), &business.GetPhoneNumberRequest{Code: "c"})
		return err
	}
	send := func() error {
		return mp.GetSubscribe().Send(&subscribe.Message{ToUser: "o-user", TemplateID: "t"})
	}
	return [2]func() error{phone, send}
}

func chanxuehongCalls(a *wechatsdk.Adapter, client *http.Client) [2]func() error {
	mp := core.NewClient(a, client)
	get := func() error {
		_, err := mpuser.Get(mp, "o-user", "")
		return err
	}
	send := func() error {
		return custom.Send(mp, map[string]any{"touser": "o-user", "msgtype": "text", "text": map[string]string{"content": "hello"}})
	}
	return [2]func() error{get, send}
}

func workwxCalls(a *wechatsdk.Adapter, client *http.Client) [2]func() error {
	app := workwx.New("ww-by-provider", workwx.WithAccessTokenProvider(a), workwx.WithHTTPClient(client)).WithApp("", 1000002)
	get := func() error {
		_, err := app.GetUser("user")
		return err
	}
	send := func() error {
		return app.SendTextMessage(&workwx.Recipient{UserIDs: []string{"user"}}, "hello", false)
	}
	return [2]func() error{get, send}
}

// plainCalls know nothing of tokens.
func plainCalls(_ *wechatsdk.Adapter, client *http.Client) [2]func() error {
	const api = "https://api.weixin.qq.com/cgi-bin"
	get := func() error { return judge(client.Get(api + "/user/info?openid=o-user")) }
	send := func() error {
		return judge(client.Post(api+"/message/custom/send", "application/json", strings.NewReader(`{"touser":"o-user"}`)))
	}
	return [2]func() error{get, send}
}

// judge makes an error of WeChat's errcode.
func judge(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var reply struct{ ErrCode int }
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil {
		return err
	}
	if reply.ErrCode != 0 {
		return fmt.Errorf("errcode %d", reply.ErrCode)
	}
	return nil
}

// shareClient sets the client of silenceper/wechat, until the test ends.
func shareClient(t *testing.T, client *http.Client) {
	before := util.DefaultHTTPClient
	util.DefaultHTTPClient = client
	t.Cleanup(func() { util.DefaultHTTPClient = before })
}
