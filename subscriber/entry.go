package subscriber

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// errNoEntry marks a message that holds no stored value: a marker of a delete, or something that JetStream didn't send.
var errNoEntry = errors.New("no stored value")

// errOlder marks a stored value that is older than the token held: a replica lags behind, or the store was set back.
var errOlder = errors.New("older than the token held")

// readEntry reads a republished message or the reply to a direct get. The error is errNoEntry or an ErrBadValue.
func readEntry(msg *nats.Msg, names wire.Names, appid string) (entry, error) {
	origin, ok := names.OriginOf(msg.Header)
	if !ok || origin.Marker || origin.Key != wire.Key(appid, wire.KindAccessToken) || len(msg.Data) == 0 {
		return entry{}, errNoEntry
	}
	v, err := wire.DecodeValue(msg.Data)
	if err == nil && (v.AppID != appid || v.Kind != wire.KindAccessToken) {
		err = errors.New("it is of another account or kind") // unquoted: it could be anything, a token too
	}
	if err != nil {
		return entry{}, fmt.Errorf("%w: revision %d: %w", ErrBadValue, origin.Revision, err)
	}
	v.AppID = appid // one string for all tokens of an account
	return entry{Value: v, revision: origin.Revision}, nil
}
