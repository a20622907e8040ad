package publisher

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/wxtoken/wxtoken/internal/secret"
	"github.com/wxtoken/wxtoken/internal/wechat"
)

// guarded turns a panic in a Minter into an error: one account's must not end the others. What was panicked with may
// hold anything, the secret for one, so only its type is told.
type guarded struct {
	Minter
	log   *slog.Logger
	appid string
}

func (g guarded) Mint(ctx context.Context, force bool) (m wechat.Minted, err error) {
	defer g.recover(&err)
	return g.Minter.Mint(ctx, force)
}

func (g guarded) Check(ctx context.Context, token secret.String) (err error) {
	defer g.recover(&err)
	return g.Minter.Check(ctx, token)
}

func (g guarded) recover(err *error) {
	if what := recover(); what != nil {
		*err = fmt.Errorf("minter panicked with a value of type %T", what)
		g.log.Error("minter panicked", "appid", g.appid, "panic_type", fmt.Sprintf("%T", what), "stack", string(debug.Stack()))
	}
}
