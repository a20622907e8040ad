package subscriber_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/subscriber"
)

func Example() {
	nc, err := nats.Connect(os.Getenv("NATS_URL"), subscriber.NATSOptions()...)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	src, err := subscriber.Open(ctx, nc, "wx0123456789abcdef", subscriber.WithClient("orders/pod-7"))
	if err != nil {
		log.Fatal(err) // says what is missing
	}
	defer src.Close()

	tok, err := src.Token()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("using", tok) // its id, never the token
}

func ExampleSource_Refresh() {
	call := func(ctx context.Context, src *subscriber.Source) error {
		tok, err := src.Token()
		if err != nil {
			return err
		}
		if errcode := askWeChat(tok.AccessToken()); errcode != 42001 {
			return nil
		}
		tok, err = src.Refresh(ctx, tok)
		if spent, ok := errors.AsType[*subscriber.BudgetSpentError](err); ok {
			return fmt.Errorf("try again after %v: %w", spent.RetryAt, err)
		}
		if err != nil {
			return err
		}
		askWeChat(tok.AccessToken())
		return nil
	}
	_ = call
}

func askWeChat(accessToken string) (errcode int) { return 0 }

func ExampleSource_Updates() {
	copyTokens := func(ctx context.Context, src *subscriber.Source, sdk interface{ SetAccessToken(string) }) {
		for tok := range src.Updates(ctx) {
			sdk.SetAccessToken(tok.AccessToken())
			slog.Info("token handed on", "token", tok)
		}
	}
	_ = copyTokens
}

func ExampleFleet() {
	serve := func(ctx context.Context, nc *nats.Conn) error {
		fleet, err := subscriber.OpenFleet(ctx, nc)
		if err != nil {
			return err
		}
		defer fleet.Close()
		for appid := range fleet.Discover(ctx) { // until ctx ends
			go func() { // as Open waits for a token
				src, err := fleet.Open(ctx, appid)
				if err != nil {
					slog.Error("account is not served", "appid", appid, "err", err)
					return
				}
				for tok := range src.Updates(ctx) {
					slog.Info("newest token", "token", tok)
				}
			}()
		}
		return nil
	}
	_ = serve
}

func ExampleSource_Err() {
	ready := func(src *subscriber.Source) (bool, error) {
		err := src.Err()
		_, expired := src.Token()
		return expired == nil, err // ready while the token is good, whatever else is wrong
	}
	_ = ready
}
