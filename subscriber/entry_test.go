package subscriber

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// A value of another kind was quoted in the error, and so in the log: whoever writes to the bucket by mistake may have
// put a token there.
func TestErrorsAboutForeignValuesQuoteNothing(t *testing.T) {
	const private = "84_vWPprivate"
	v := token(1, time.Hour)
	v.Kind = private
	data, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	names := wire.DefaultNames()
	key := wire.Key(v.AppID, wire.KindAccessToken)
	_, err = readEntry(&nats.Msg{Data: data, Header: nats.Header{
		"Nats-Stream": {names.Stream()}, "Nats-Subject": {names.KeySubject(key)}, "Nats-Sequence": {"1"},
	}}, names, v.AppID)
	if !errors.Is(err, ErrBadValue) || strings.Contains(err.Error(), private) {
		t.Errorf("got %v", err)
	}
}
