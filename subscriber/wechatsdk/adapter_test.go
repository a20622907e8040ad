package wechatsdk_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/subscriber"
	"github.com/wxtoken/wxtoken/subscriber/subscribertest"
	"github.com/wxtoken/wxtoken/subscriber/wechatsdk"
)

const appid = "wx0123456789abcdef"

// The interfaces, as the SDKs have them.
var (
	_ interface {
		GetAccessToken() (string, error)
		GetAccessTokenContext(ctx context.Context) (string, error)
	} = (*wechatsdk.Adapter)(nil)
	_ interface {
		Token() (string, error)
		RefreshToken(currentToken string) (string, error)
		IID01332E16DF5011E5A9D5A4DB30FED8E1()
	} = (*wechatsdk.Adapter)(nil)
	_ interface {
		GetToken(context.Context) (string, error)
	} = (*wechatsdk.Adapter)(nil)
	_ func(appid, secret string) (token string, expireIn uint) = (*wechatsdk.Adapter)(nil).Weapp
	_ wechatsdk.Source                                         = (*subscriber.Source)(nil)
)

type hashMap map[string]any // as PowerWeChat has it

// shapes are all ways to a token.
func shapes(a *wechatsdk.Adapter) map[string]func() (string, error) {
	a.IID01332E16DF5011E5A9D5A4DB30FED8E1()
	return map[string]func() (string, error){
		"GetAccessToken":        a.GetAccessToken,
		"Token":                 a.Token,
		"GetAccessTokenContext": func() (string, error) { return a.GetAccessTokenContext(context.Background()) },
		"GetToken":              func() (string, error) { return a.GetToken(context.Background()) },
		"Weapp":                 func() (string, error) { token, _ := a.Weapp(appid, ""); return token, nil },
		"PowerWeChat": func() (string, error) {
			return wechatsdk.PowerWeChat[hashMap](a)("key", false)["access_token"].(string), nil
		},
	}
}

func TestEachCallHasTheNewestToken(t *testing.T) {
	d := subscribertest.New(t, appid)
	a := wechatsdk.New(d.Source())
	for _, want := range []string{"token-1", "token-2"} {
		for name, get := range shapes(a) {
			if got, err := get(); got != want || err != nil {
				t.Errorf("%s = %q, %v; want %q", name, got, err, want)
			}
		}
		d.Set("")
	}
	if got := d.Reports(); len(got) != 0 {
		t.Errorf("reports: %+v", got)
	}
}

func TestExpiredTokenIsReplacedBeforeUse(t *testing.T) {
	for name := range shapes(wechatsdk.New(nil)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := subscribertest.New(t, appid)
			d.Expire()
			d.OnRefresh(subscribertest.Replace("fresh"))
			if got, err := shapes(wechatsdk.New(d.Source()))[name](); got != "fresh" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestExpiredTokenThatCantBeReplaced(t *testing.T) {
	d := subscribertest.New(t, appid)
	d.Expire()
	for name, get := range shapes(wechatsdk.New(d.Source())) {
		got, err := get()
		if err == nil && got != "token-1" || err != nil && (got != "" || !errors.Is(err, subscriber.ErrNoPublisher)) {
			t.Errorf("%s = %q, %v", name, got, err)
		}
	}
}

func TestClosedSource(t *testing.T) {
	d := subscribertest.New(t, appid)
	d.Source().Close()
	a := wechatsdk.New(d.Source())
	for name, get := range shapes(a) {
		if got, err := get(); got != "" || err != nil && err != subscriber.ErrClosed {
			t.Errorf("%s = %q, %v", name, got, err)
		}
	}
	if _, err := a.RefreshToken("token-1"); err != subscriber.ErrClosed {
		t.Errorf("RefreshToken: %v", err)
	}
}

func TestRefreshToken(t *testing.T) {
	for name, c := range map[string]struct {
		answer  subscribertest.Answer
		current string
		want    string
		wantErr error
		reports int
	}{
		"the current one":         {subscribertest.Replace("fresh"), "token-2", "fresh", nil, 1},
		"one before":              {subscribertest.NoPublisher(), "token-1", "token-2", nil, 0},
		"none":                    {subscribertest.NoPublisher(), "", "token-2", nil, 0},
		"one that is still valid": {subscribertest.StillValid(), "token-2", "token-2", nil, 1},
		"no publisher":            {subscribertest.NoPublisher(), "token-2", "", subscriber.ErrNoPublisher, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := subscribertest.New(t, appid)
			d.Set("token-2")
			d.OnRefresh(c.answer)
			got, err := wechatsdk.New(d.Source()).RefreshToken(c.current)
			if got != c.want || !errors.Is(err, c.wantErr) {
				t.Errorf("RefreshToken = %q, %v; want %q, %v", got, err, c.want, c.wantErr)
			}
			if n := len(d.Reports()); n != c.reports {
				t.Errorf("%d reports, want %d", n, c.reports)
			}
		})
	}
}

func TestRefreshTokenEnds(t *testing.T) {
	subscribertest.Bubble(t, appid, func(t *testing.T, d *subscribertest.Double) {
		d.OnRefresh(subscribertest.Unavailable())
		a, begun := wechatsdk.New(d.Source()), time.Now()
		if _, err := a.RefreshToken("token-1"); !errors.Is(err, subscriber.ErrUnavailable) {
			t.Errorf("RefreshToken: %v", err)
		}
		if took := time.Since(begun); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("it took %v of fake time, want 10 s", took)
		}
	})
}

func TestContextEndsTheWaitForAToken(t *testing.T) {
	subscribertest.Bubble(t, appid, func(t *testing.T, d *subscribertest.Double) {
		d.Expire()
		d.OnRefresh(subscribertest.Unavailable())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := wechatsdk.New(d.Source()).GetToken(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("GetToken: %v", err)
		}
	})
}

func TestRefreshLent(t *testing.T) {
	d := subscribertest.New(t, appid)
	a := wechatsdk.New(d.Source())
	reports := func(want int) {
		t.Helper()
		if n := len(d.Reports()); n != want {
			t.Errorf("%d reports, want %d", n, want)
		}
	}
	if err := a.RefreshLent(); err != nil {
		t.Error(err)
	}
	reports(0) // nothing was lent
	_, _ = a.GetAccessToken()
	d.Set("token-2")
	if err := a.RefreshLent(); err != nil {
		t.Error(err)
	}
	reports(0) // the lent one was replaced already
	power := wechatsdk.PowerWeChat[hashMap](a)
	power("key", false)
	if got := power("key", true); got["access_token"] != "token-3" || got["expires_in"] != 1.0 {
		t.Errorf("GetCustomToken(refresh) = %v", got)
	}
	reports(1)
	d.OnRefresh(subscribertest.NoPublisher())
	if err := a.RefreshLent(); !errors.Is(err, subscriber.ErrNoPublisher) {
		t.Errorf("RefreshLent: %v", err)
	}
}

func TestTokensCostNothing(t *testing.T) {
	a := wechatsdk.New(subscribertest.New(t, appid).Source())
	if n := testing.AllocsPerRun(100, func() { _, _ = a.GetAccessToken() }); n != 0 {
		t.Errorf("GetAccessToken allocates %v times", n)
	}
}
