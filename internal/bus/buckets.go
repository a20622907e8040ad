package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/wire"
)

const (
	tokenHistory = 5
	// minMaxAge is the shortest age limit with which a bucket can't lose a token that is still in use, or a day's budget.
	minMaxAge = 24 * time.Hour
	// maxValue is what a stored value may need: tokens have 512 bytes and more.
	maxValue = 16 << 10
	// markerTTL is how long the marker of an ended lease stays; having one is what allows TTLs per key.
	markerTTL = time.Minute
	// lookUpTimeout is long for an answer and short for the start of a publisher.
	lookUpTimeout = time.Second
)

// A BucketError tells that a bucket exists, but not as publishers need it. It holds one sentence for each difference,
// with the command that mends it.
type BucketError struct {
	Bucket      string
	Differences []string
}

func (e *BucketError) Error() string {
	return fmt.Sprintf("bucket %s exists but can't be used as it is: %s", e.Bucket, strings.Join(e.Differences, "; "))
}

// EnsureBuckets makes the bucket of tokens and the bucket of shared state where they are missing, and adopts them
// unchanged where they exist. It returns a *BucketError for one that exists with settings that don't do, and otherwise
// when the bucket of tokens was created: another time than before means another bucket, which may be empty.
func EnsureBuckets(ctx context.Context, js jetstream.JetStream, names wire.Names, replicas int) (created time.Time, err error) {
	tokens, err := ensure(ctx, js, names.Bucket, tokenDifferences(names, replicas), func() error {
		_, err := js.CreateStream(ctx, tokenStream(names, replicas))
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	_, err = ensure(ctx, js, names.OpsBucket(), opsDifferences(names, replicas), func() error {
		return createOps(ctx, js, opsStream(names, replicas, tokens.TimeStamp))
	})
	return tokens.Created, err
}

func tokenStream(names wire.Names, replicas int) jetstream.StreamConfig {
	config := bucketStream(names.Bucket, replicas, time.Now())
	config.Description = "WeChat credentials, written by wxtoken publishers"
	config.MaxMsgsPerSubject = tokenHistory
	config.RePublish = &jetstream.RePublish{Source: names.KeySubject(">"), Destination: names.UpdateSubject(">")}
	return config
}

func opsStream(names wire.Names, replicas int, now time.Time) jetstream.StreamConfig {
	config := bucketStream(names.OpsBucket(), replicas, now)
	config.Description = "leases and budgets of wxtoken publishers; of no use to services"
	config.MaxMsgsPerSubject = 1 // with more, older values would keep an ended lease alive
	config.AllowMsgTTL = true
	config.SubjectDeleteMarkerTTL = markerTTL
	return config
}

// bucketStream is a bucket as the stream that it is, for KeyValueConfig can't say where revisions begin. They begin at
// the time in Unix milliseconds, so that a bucket that was lost and is made anew has none that the old one had: it has had
// far less than one write a millisecond. A compare-and-set by somebody who knows the old one must fail, and leases'
// revisions are fences, which must go on rising: those go by the server's time, as publishers' clocks may differ.
func bucketStream(bucket string, replicas int, now time.Time) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:     "KV_" + bucket,
		Subjects: []string{"$KV." + bucket + ".>"},
		FirstSeq: uint64(now.UnixMilli()),
		Storage:  jetstream.FileStorage,
		Replicas: replicas,

		// What follows is what makes a stream a bucket.
		MaxMsgs:      -1,
		MaxBytes:     -1,
		MaxMsgSize:   -1,
		MaxConsumers: -1,
		Duplicates:   2 * time.Minute,
		Discard:      jetstream.DiscardNew,
		AllowRollup:  true,
		DenyDelete:   true,
		AllowDirect:  true,
	}
}

// createOps asks first what the server can do, as CreateKeyValue does: one that doesn't know of TTLs per key would make
// the stream without them.
func createOps(ctx context.Context, js jetstream.JetStream, config jetstream.StreamConfig) error {
	account, err := js.AccountInfo(ctx)
	if err != nil {
		return err
	}
	if account.API.Level < 1 {
		return jetstream.ErrLimitMarkerTTLNotSupported
	}
	_, err = js.CreateStream(ctx, config)
	return err
}

// ensure looks again after creating: when two publishers start together, one of them creates and the other finds it.
func ensure(ctx context.Context, js jetstream.JetStream, bucket string, differences func(jetstream.StreamConfig) []string, create func() error) (*jetstream.StreamInfo, error) {
	for {
		info, err := lookUp(ctx, js, bucket)
		if err == nil {
			return info, adopt(bucket, differences(info.Config))
		}
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, fmt.Errorf("look up bucket %s: %w", bucket, offline(err))
		}
		err = create()
		if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return nil, fmt.Errorf("create bucket %s: %w", bucket, offline(err))
		}
	}
}

// lookUp asks in short attempts until ctx ends: while a cluster is making a stream, nobody answers for it.
func lookUp(ctx context.Context, js jetstream.JetStream, bucket string) (*jetstream.StreamInfo, error) {
	for {
		attempt, cancel := context.WithTimeout(ctx, lookUpTimeout)
		stream, err := js.Stream(attempt, "KV_"+bucket)
		cancel()
		switch {
		case err == nil:
			return stream.CachedInfo(), nil
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return nil, err
		}
	}
}

func adopt(bucket string, differences []string) error {
	if len(differences) > 0 {
		return &BucketError{Bucket: bucket, Differences: differences}
	}
	return nil
}

func tokenDifferences(names wire.Names, replicas int) func(jetstream.StreamConfig) []string {
	return func(got jetstream.StreamConfig) []string {
		edit := edits(names.Bucket)
		if got.Storage != jetstream.FileStorage {
			return edit.remake()
		}
		d := edit.common(got, replicas)
		source, destination := names.KeySubject(">"), names.UpdateSubject(">")
		if got.RePublish == nil || got.RePublish.Source != source || got.RePublish.Destination != destination || got.RePublish.HeadersOnly {
			d = append(d, edit.say("it doesn't republish stored values to "+destination,
				fmt.Sprintf("--republish-source='%s' --republish-destination='%s'", source, destination)))
		}
		if got.MaxMsgsPerSubject < tokenHistory {
			d = append(d, edit.say(fmt.Sprintf("its history is %d, want %d or more", got.MaxMsgsPerSubject, tokenHistory),
				fmt.Sprintf("--history=%d", tokenHistory)))
		}
		if !got.AllowDirect {
			d = append(d, edit.say("it allows no direct gets", ""))
		}
		return d
	}
}

func opsDifferences(names wire.Names, replicas int) func(jetstream.StreamConfig) []string {
	return func(got jetstream.StreamConfig) []string {
		edit := edits(names.OpsBucket())
		if got.Storage != jetstream.FileStorage {
			return edit.remake()
		}
		d := edit.common(got, replicas)
		if got.MaxMsgsPerSubject != 1 {
			d = append(d, edit.say(fmt.Sprintf("its history is %d, want 1", got.MaxMsgsPerSubject), "--history=1"))
		}
		if !got.AllowMsgTTL {
			d = append(d, edit.say("it allows no TTL per key", "--marker-ttl="+markerTTL.String()))
		}
		return d
	}
}

// edits words differences with the command that mends them. It holds the bucket's name. `nats kv edit` allows direct gets
// whatever else it does; `nats stream edit` would ask whether one really means a bucket.
type edits string

func (bucket edits) say(difference, flags string) string {
	return fmt.Sprintf("%s (mend it with: %s)", difference, strings.TrimSpace("nats kv edit "+string(bucket)+" "+flags))
}

// remake is all there is to say of a bucket in memory: what else differs goes with it.
func (bucket edits) remake() []string {
	return []string{fmt.Sprintf("it stores in memory, so a restart loses it, and storage can't be changed: remove it, and it is made anew (mend it with: nats kv del %s --force)", string(bucket))}
}

func (bucket edits) common(got jetstream.StreamConfig, replicas int) []string {
	var d []string
	if got.Replicas < replicas {
		d = append(d, bucket.say(fmt.Sprintf("it has %d replicas, want %d (WX_REPLICAS)", got.Replicas, replicas), fmt.Sprintf("--replicas=%d", replicas)))
	}
	if got.MaxAge > 0 && got.MaxAge < minMaxAge {
		d = append(d, bucket.say(fmt.Sprintf("its values end after %v, want 0 or at least %v", got.MaxAge, minMaxAge), "--ttl=0s"))
	}
	if got.MaxMsgSize > 0 && got.MaxMsgSize < maxValue {
		d = append(d, bucket.say(fmt.Sprintf("its values may have %d bytes, want -1 or at least %d", got.MaxMsgSize, maxValue), "--max-value-size=-1"))
	}
	return d
}
