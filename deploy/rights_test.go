package deploy

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

var users = []string{"publisher", "service", "services", "agent", "operator", "auditor"}

// right is a subject with the users that may use it. All others must be refused.
type right struct {
	subject string
	may     string
}

const (
	everyReader = "service services agent operator"
	manyReaders = "services agent operator"
)

var publishRights = []right{
	{"$KV.wx_token." + ownAppID + ".access_token", "publisher"},
	{"$KV.wx_token." + otherAppID + ".access_token", "publisher"},
	{"$KV.wx_token_ops.lease." + ownAppID, "publisher"},
	{"$KV.other.key", ""},

	{"wx.token.update." + ownAppID + ".access_token", ""}, // only the bucket itself
	{"wx.token.update." + otherAppID + ".access_token", ""},
	{"wx.token.event." + ownAppID + ".minted", "publisher"},
	{"wx.token.refresh", "operator"},
	{"wx.token.refresh." + ownAppID, everyReader},
	{"wx.token.refresh." + otherAppID, manyReaders},

	{"$JS.API.STREAM.INFO.KV_wx_token", "publisher " + everyReader},
	{"$JS.API.STREAM.INFO.KV_wx_token_ops", "publisher operator"},
	{"$JS.API.DIRECT.GET.KV_wx_token.$KV.wx_token." + ownAppID + ".access_token", everyReader},
	{"$JS.API.DIRECT.GET.KV_wx_token.$KV.wx_token." + otherAppID + ".access_token", manyReaders},
	{"$JS.API.DIRECT.GET.KV_wx_token.$KV.wx_token.>", manyReaders},
	{"$JS.API.DIRECT.GET.KV_wx_token", "publisher"}, // the payload says which keys
	{"$JS.API.DIRECT.GET.KV_wx_token_ops", "publisher"},
	{"$JS.API.DIRECT.GET.KV_wx_token_ops.$KV.wx_token_ops.lease." + ownAppID, "operator"},
	{"$JS.API.STREAM.MSG.GET.KV_wx_token", "publisher operator"},
	{"$JS.API.STREAM.MSG.GET.KV_wx_token_ops", "publisher operator"},

	{"$JS.API.INFO", "publisher operator"},
	{"$JS.API.STREAM.NAMES", "operator"},
	{"$JS.API.STREAM.LIST", "operator"},
	{"$JS.API.STREAM.CREATE.KV_wx_token", "publisher"},
	{"$JS.API.STREAM.CREATE.KV_wx_token_ops", "publisher"},
	{"$JS.API.STREAM.CREATE.other", ""},
	{"$JS.API.STREAM.UPDATE.KV_wx_token", ""},
	{"$JS.API.STREAM.DELETE.KV_wx_token", ""},
	{"$JS.API.STREAM.PURGE.KV_wx_token", ""},
	{"$JS.API.STREAM.MSG.DELETE.KV_wx_token", ""},
	{"$JS.API.STREAM.SNAPSHOT.KV_wx_token", ""},
	{"$JS.API.STREAM.RESTORE.KV_wx_token", ""},
	{"$JS.API.STREAM.LEADER.STEPDOWN.KV_wx_token", ""},
	{"$JS.API.CONSUMER.CREATE.KV_wx_token.c.$KV.wx_token.>", "operator"},
	{"$JS.API.CONSUMER.CREATE.KV_wx_token_ops.c.$KV.wx_token_ops.>", ""},
	{"$JS.API.CONSUMER.DURABLE.CREATE.KV_wx_token.c", ""},

	{"$SRV.PING", "operator"},
	{"$SRV.STATS.wx-token", "publisher operator"},
	{"_INBOX.service.x", ""},
	{"_INBOX.services.x", ""},
	{"_INBOX.agent.x", ""},
	{"_INBOX.operator.x", "publisher"},
	{"_INBOX.publisher.x", "publisher"},
	{"$SYS.REQ.SERVER.PING", ""},
	{"some.thing.else", ""},
}

var subscribeRights = []right{
	{"wx.token.update." + ownAppID + ".>", "publisher " + everyReader},
	{"wx.token.update." + otherAppID + ".access_token", "publisher " + manyReaders},
	{"wx.token.update.*.access_token", "publisher " + manyReaders},
	{"wx.token.update.>", "publisher " + manyReaders},
	{"wx.token.event.>", "operator auditor"},
	{"wx.token.refresh", "publisher"},
	{"wx.token.refresh." + ownAppID, "publisher"},
	{"wx.token.refresh.*", "publisher"},
	{"wx.token.>", ""},

	{"$KV.wx_token." + ownAppID + ".access_token", ""},
	{"$KV.wx_token_ops.>", ""},
	{"$SRV.PING", "publisher"},
	{"$SRV.INFO.wx-token", "publisher"},
	{"$JS.API.>", ""},
	{"$JS.EVENT.ADVISORY.>", ""},
	{"$SYS.>", ""},
	{"_R_.>", ""},
	{"_INBOX.>", ""},
	{"_INBOX.publisher.>", "publisher"},
	{"_INBOX.service.>", "service"},
	{"_INBOX.services.>", "services"},
	{"_INBOX.agent.>", "agent"},
	{"_INBOX.operator.>", "operator"},
	{"_INBOX.auditor.>", ""}, // it asks for nothing
	{">", ""},
}

func TestEachUserHasItsRightsAndNoOthers(t *testing.T) {
	s := startNATS(t)
	for _, user := range users {
		nc := connect(t, s, user)
		for _, r := range publishRights {
			check(t, user, "publish on", r, refused(t, nc, r.subject, func() error { return nc.Publish(r.subject, nil) }))
		}
		for _, r := range subscribeRights {
			check(t, user, "subscribe to", r, refused(t, nc, r.subject, func() error {
				_, err := nc.SubscribeSync(r.subject)
				return err
			}))
		}
	}
}

func check(t *testing.T, user, op string, r right, refused bool) {
	t.Helper()
	if may := slices.Contains(strings.Fields(r.may), user); may == refused {
		t.Errorf("%s: %s %s: may is %v, is refused %v", user, op, r.subject, may, refused)
	}
}

// refused tells whether the server refuses what act sends: it answers in order, so it has said so when it answers a ping.
func refused(t *testing.T, nc *nats.Conn, subject string, act func() error) bool {
	t.Helper()
	before := nc.LastError()
	if err := errors.Join(act(), nc.FlushTimeout(patience)); err != nil {
		t.Fatal(err)
	}
	now := nc.LastError()
	if now == before {
		return false
	}
	if !errors.Is(now, nats.ErrPermissionViolation) || !strings.Contains(now.Error(), `"`+subject+`"`) {
		t.Fatalf("%s: %v", subject, now)
	}
	return true
}

func TestNobodyElseIsLetIn(t *testing.T) {
	s := startNATS(t)
	for what, options := range map[string][]nats.Option{
		"nobody":     nil,
		"a user":     {nats.UserInfo("publisher", "publisher")},
		"the routes": {nats.UserInfo("route", "demo")},
	} {
		if nc, err := nats.Connect(s.ClientURL(), options...); !errors.Is(err, nats.ErrAuthorization) {
			nc.Close()
			t.Errorf("%s: %v", what, err)
		}
	}
}
