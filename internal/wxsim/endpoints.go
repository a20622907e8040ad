package wxsim

import (
	"net/http"
	"strings"
)

const (
	pathToken        = "/cgi-bin/token"
	pathStable       = "/cgi-bin/stable_token"
	pathTicket       = "/cgi-bin/ticket/getticket"
	pathClearQuotaV2 = "/cgi-bin/clear_quota/v2"
)

// endpoint is how one path behaves.
type endpoint struct {
	group  Group
	method string // empty: any
	plain  bool   // errors are sent as text/plain
	serve  func(*call) reply
}

var endpoints = map[string]endpoint{
	pathToken:                         {group: GroupMint, method: http.MethodGet, serve: serveMint},
	pathStable:                        {group: GroupMint, method: http.MethodPost, serve: serveMint},
	"/cgi-bin/getcallbackip":          {group: GroupCheck, method: http.MethodGet, serve: serveIPs},
	"/cgi-bin/get_api_domain_ip":      {group: GroupCheck, method: http.MethodGet, serve: serveIPs},
	pathTicket:                        {group: GroupBusiness, method: http.MethodGet, serve: serveTicket},
	"/cgi-bin/clear_quota":            {group: GroupBusiness, method: http.MethodPost, serve: serveClearQuota},
	pathClearQuotaV2:                  {group: GroupBusiness, method: http.MethodPost, serve: serveClearQuotaV2},
	"/cgi-bin/openapi/quota/get":      {group: GroupBusiness, method: http.MethodPost, serve: serveQuotaGet},
	"/cgi-bin/openapi/rid/get":        {group: GroupBusiness, method: http.MethodPost, serve: serveRidGet},
	"/cgi-bin/user/info":              {group: GroupBusiness, method: http.MethodGet, serve: serveUserInfo},
	"/cgi-bin/message/custom/send":    {group: GroupBusiness, method: http.MethodPost, serve: serveBusiness},
	"/cgi-bin/message/template/send":  {group: GroupBusiness, method: http.MethodPost, serve: serveBusiness},
	"/cgi-bin/menu/create":            {group: GroupBusiness, method: http.MethodPost, serve: serveBusiness},
	"/cgi-bin/media/get":              {group: GroupBusiness, method: http.MethodGet, plain: true, serve: serveMediaGet},
	"/cgi-bin/media/upload":           {group: GroupBusiness, method: http.MethodPost, plain: true, serve: serveMediaUpload},
	"/cgi-bin/material/get_material":  {group: GroupBusiness, method: http.MethodPost, plain: true, serve: serveBusiness},
	"/cgi-bin/message/mass/sendall":   {group: GroupBusiness, method: http.MethodPost, serve: serveBusiness},
	"/cgi-bin/message/subscribe/send": {group: GroupBusiness, method: http.MethodPost, serve: serveBusiness},
}

// businessPrefixes begin the paths of which any is taken for a business call.
var businessPrefixes = []string{
	"/cgi-bin/", "/wxa/", "/wxaapi/", "/datacube/", "/card/", "/customservice/", "/semantic/", "/tcb/", "/shop/",
	"/product/", "/channels/", "/scan/", "/device/", "/bizwifi/", "/shakearound/", "/cv/", "/wxaqrcode/", "/business/",
}

func endpointOf(path string) endpoint {
	if e, ok := endpoints[path]; ok {
		return e
	}
	for _, prefix := range businessPrefixes {
		if strings.HasPrefix(path, prefix) && len(path) > len(prefix) {
			return endpoint{group: GroupBusiness, serve: serveBusiness}
		}
	}
	return endpoint{group: GroupBusiness, serve: func(c *call) reply { return c.refuse(CodeInvalidURL) }}
}
