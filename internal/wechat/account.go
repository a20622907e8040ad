package wechat

import (
	"fmt"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// Endpoint is the way of minting.
type Endpoint string

const (
	// StableToken is /cgi-bin/stable_token: asked again it returns the same token until that is nearly over.
	StableToken Endpoint = "stable_token"
	// PlainToken is /cgi-bin/token: each call makes a new token, and the one before dies in about 5 minutes.
	PlainToken Endpoint = "token"
)

// ParseEndpoint returns the endpoint of that name.
func ParseEndpoint(s string) (Endpoint, error) {
	switch e := Endpoint(s); e {
	case StableToken, PlainToken:
		return e, nil
	}
	return "", fmt.Errorf("endpoint %.64q: want %s or %s", s, StableToken, PlainToken)
}

// Account is one AppID with its AppSecret.
type Account struct {
	client   *Client
	appid    string
	secret   secret.String
	endpoint Endpoint
}
