package stage

import (
	"context"
	"fmt"
	"time"
)

// settling is how long everything may take to be well, once nothing disturbs it.
const settling = time.Minute

// Settle waits until WeChat's newest token is the one in the store, for every account, and every publisher is ready. What
// isn't goes into the book.
func (s *Stage) Settle(ctx context.Context) {
	if err := s.Cluster.AwaitWhole(ctx); err != nil {
		s.Book.Unwell(err.Error())
	}
	for _, p := range s.Publishers {
		if err := p.Ready(ctx); err != nil {
			s.Book.Unwell(err.Error())
		}
	}
	for _, a := range s.Accounts {
		err := await(ctx, settling, "WeChat's newest token of "+a.AppID+" in the store", func(ctx context.Context) error {
			current, err := s.WeChat.Current(ctx, a)
			if err != nil {
				return err
			}
			if v, _ := s.Book.Newest(a.AppID); v.ID != current {
				return fmt.Errorf("the store has %q, WeChat's is %q", v.ID, current)
			}
			return nil
		})
		if err != nil {
			s.Book.Unwell(err.Error())
		}
	}
}
