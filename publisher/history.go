package publisher

import (
	"context"
	"slices"
	"time"

	"github.com/wxtoken/wxtoken/internal/bus"
	"github.com/wxtoken/wxtoken/internal/wire"
)

// Minted is what is known of a token that an account's key holds or held: everything but the token.
type Minted struct {
	ID         string
	Generation uint64
	Revision   uint64
	Reason     wire.Reason
	By         string // the publisher that minted it
	At         time.Time
	ExpiresAt  time.Time
}

// historyShown is how many tokens History tells of at most: what a bucket keeps that a publisher made.
const historyShown = 5

// History tells of the account's last tokens, the newest first. It asks NATS once, and makes no consumer; ctx bounds it
// beside a deadline of its own. Values that can't be read are left out.
func (p *Publisher) History(ctx context.Context, appid string) ([]Minted, error) {
	if err := wire.CheckAppID(appid); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	entries, err := p.tokens.History(ctx, wire.Key(appid, wire.KindAccessToken))
	if err != nil {
		return nil, err
	}
	slices.Reverse(entries)
	var history []Minted
	for _, entry := range entries[:min(len(entries), historyShown)] {
		if m, ok := minted(appid, entry); ok {
			history = append(history, m)
		}
	}
	return history, nil
}

func minted(appid string, entry bus.Entry) (m Minted, ok bool) {
	v, err := wire.DecodeValue(entry.Value)
	if err != nil || v.AppID != appid {
		return Minted{}, false
	}
	return Minted{
		ID: v.ID, Generation: v.Generation, Revision: entry.Revision, Reason: v.Reason,
		By: v.Publisher, At: v.MintedAt, ExpiresAt: v.ExpiresAt,
	}, true
}
