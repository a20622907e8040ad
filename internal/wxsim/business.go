package wxsim

// serveBusiness is any call that needs a token and of which nothing else matters here.
func serveBusiness(c *call) reply {
	code := c.checkToken()
	c.discardBody()
	if code != 0 {
		return c.refuse(code)
	}
	return c.ok()
}

// serveUserInfo is GET /cgi-bin/user/info.
func serveUserInfo(c *call) reply {
	if code := c.checkToken(); code != 0 {
		return c.refuse(code)
	}
	return c.json(struct {
		Subscribe int    `json:"subscribe"`
		OpenID    string `json:"openid"`
		Language  string `json:"language"`
	}{1, c.query.Get("openid"), "zh_CN"})
}

// serveIPs is getcallbackip and get_api_domain_ip: the cheapest way to ask whether a token is good.
func serveIPs(c *call) reply {
	if code := c.checkToken(); code != 0 {
		return c.refuse(code)
	}
	return c.json(struct {
		IPs []string `json:"ip_list"`
	}{[]string{"198.51.100.7", "198.51.100.8", "198.51.100.9"}})
}
