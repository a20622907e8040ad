package wire

import (
	"fmt"
	"regexp"
	"strings"
)

// KindAccessToken is the kind of credential that /cgi-bin/token and /cgi-bin/stable_token give.
const KindAccessToken = "access_token"

// Default names on the bus.
const (
	DefaultBucket = "wx_token"
	DefaultPrefix = "wx.token"
)

// ServiceName is the name of the micro service that answers refresh requests.
const ServiceName = "wx-token"

// Names are the names of one environment on the bus. Two environments on one NATS account need both of their own.
type Names struct {
	Bucket string // of the KV bucket that services read
	Prefix string // of the subjects: <Prefix>.refresh, .update, .event
}

// DefaultNames returns the names that are used where nothing else is configured.
func DefaultNames() Names { return Names{Bucket: DefaultBucket, Prefix: DefaultPrefix} }

// OpsBucket is the bucket of leases and budgets, which only publishers see.
func (n Names) OpsBucket() string { return n.Bucket + "_ops" }

// Stream is the JetStream stream under the bucket.
func (n Names) Stream() string { return "KV_" + n.Bucket }

// Key is where an account's credential of that kind is stored.
func Key(appid, kind string) string { return appid + "." + kind }

// KeySubject is the subject on which the stream stores the key.
func (n Names) KeySubject(key string) string { return "$KV." + n.Bucket + "." + key }

// SplitKey undoes Key.
func SplitKey(key string) (appid, kind string, ok bool) {
	appid, kind, ok = strings.Cut(key, ".")
	return appid, kind, ok && appid != "" && kind != ""
}

// RefreshSubject takes requests that name their account in the payload.
func (n Names) RefreshSubject() string { return n.Prefix + ".refresh" }

// AccountRefreshSubject takes requests for one account. With "*" it matches those of every account.
func (n Names) AccountRefreshSubject(appid string) string { return n.Prefix + ".refresh." + appid }

// UpdateSubject is where the bucket republishes a key's stored values. With ">" it matches every key.
func (n Names) UpdateSubject(key string) string { return n.Prefix + ".update." + key }

// EventSubject is where publishers tell what happened to an account.
func (n Names) EventSubject(appid, what string) string {
	return n.Prefix + ".event." + appid + "." + what
}

// Check tells what is wrong with the names, or nil.
func (n Names) Check() error {
	if !bucketName.MatchString(n.Bucket) {
		return fmt.Errorf("bucket name %q: use letters, digits, _ and - only", n.Bucket)
	}
	if !subjectPrefix.MatchString(n.Prefix) {
		return fmt.Errorf("subject prefix %q: use letters, digits, _ and - in parts that dots separate", n.Prefix)
	}
	return nil
}

// CheckAppID tells why appid can't be one, or nil. It accepts more than WeChat gives out today, but nothing that has a
// meaning of its own in a subject, a key or a file name.
func CheckAppID(appid string) error {
	if !isAppID(appid) {
		return fmt.Errorf("appid %.64q: want 1 to 64 letters, digits, _ or -", appid)
	}
	return nil
}

// isAppID is a loop, as readers ask it of each update: a regular expression takes ten times as long.
func isAppID(text string) bool {
	if len(text) < 1 || len(text) > 64 {
		return false
	}
	for _, c := range []byte(text) {
		isLetter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !isLetter && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

var (
	bucketName    = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	subjectPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
)
