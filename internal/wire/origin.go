package wire

import (
	"strconv"
	"strings"
	"time"
)

// Origin is what JetStream's headers tell of a message that it republished, or sent in reply to a direct get.
type Origin struct {
	Key      string
	Revision uint64
	Marker   bool      // of a deletion, by a client or by a limit: there is no value
	Stored   time.Time // by the server's clock; zero if the server doesn't say
}

// OriginOf reads the headers. ok is false for a message that doesn't come from the bucket of n: anybody may publish on
// the update subjects, but only with JetStream's headers behind those that a writer set is it a stored value.
func (n Names) OriginOf(header map[string][]string) (o Origin, ok bool) {
	revision, err := strconv.ParseUint(last(header, "Nats-Sequence"), 10, 64)
	key, ours := strings.CutPrefix(last(header, "Nats-Subject"), n.KeySubject(""))
	if err != nil || !ours || last(header, "Nats-Stream") != n.Stream() {
		return Origin{}, false
	}
	marker := last(header, "KV-Operation") != "" || last(header, "Nats-Marker-Reason") != ""
	stored, _ := time.Parse(time.RFC3339Nano, last(header, "Nats-Time-Stamp")) // zero where it isn't one
	return Origin{Key: key, Revision: revision, Marker: marker, Stored: stored}, true
}

// last is a header's last value: JetStream appends its own behind any that the writer set.
func last(header map[string][]string, name string) string {
	values := header[name]
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}
