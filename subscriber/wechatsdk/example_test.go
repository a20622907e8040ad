package wechatsdk_test

import (
	"context"
	"net/http"

	"github.com/wxtoken/wxtoken/subscriber"
	"github.com/wxtoken/wxtoken/subscriber/wechatsdk"
)

// A TokenProvider, as many SDKs declare one in one way or another.
type TokenProvider interface {
	GetToken(ctx context.Context) (string, error)
}

func Example() {
	_ = func(src *subscriber.Source) (TokenProvider, *http.Client) {
		return wechatsdk.New(src), &http.Client{Transport: src.Transport(nil)}
	}
}

// An SDK that has one http.Client for the whole process, and two accounts.
func ExampleTransport() {
	_ = func(officialAccount, miniProgram *subscriber.Source) (tokens [2]*wechatsdk.Adapter, client *http.Client) {
		tokens[0], tokens[1] = wechatsdk.New(officialAccount), wechatsdk.New(miniProgram)
		return tokens, &http.Client{Transport: wechatsdk.Transport(nil, tokens[0], tokens[1])}
	}
}
