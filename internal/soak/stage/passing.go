package stage

import (
	"context"
	"net/http"
	"time"
)

// passing is a request on its way.
type passing struct {
	from  string
	mint  bool
	appid string
	begin time.Time
	call  string
	id    string // of the token that a call carries
}

type passingKey struct{}

func (p *passing) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, passingKey{}, p)
}

func passingOf(r *http.Request) *passing { return r.Context().Value(passingKey{}).(*passing) }
