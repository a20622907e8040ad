package bus

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/wire"
)

func TestBucketsAreMadeAsTheContractSays(t *testing.T) {
	bubble(t, func(t *testing.T, _ *natstest.Server, nc *nats.Conn) {
		js := jetStream(t, nc)
		before := time.Now()
		if created := ensureBuckets(t, js, 1); created.Before(before) || created.After(time.Now()) {
			t.Errorf("bucket was created at %v, now is %v", created, time.Now())
		}
		tokens, ops := streamConfig(t, js, "KV_wx_token"), streamConfig(t, js, "KV_wx_token_ops")

		if tokens.Storage != jetstream.FileStorage || tokens.MaxMsgsPerSubject != 5 || tokens.Replicas != 1 || !tokens.AllowDirect || tokens.MaxAge != 0 {
			t.Errorf("bucket of tokens: %+v", tokens)
		}
		republish := jetstream.RePublish{Source: "$KV.wx_token.>", Destination: "wx.token.update.>"}
		if tokens.RePublish == nil || *tokens.RePublish != republish {
			t.Errorf("bucket of tokens republishes %+v", tokens.RePublish)
		}
		if ops.Storage != jetstream.FileStorage || ops.MaxMsgsPerSubject != 1 || !ops.AllowMsgTTL || ops.RePublish != nil || ops.MaxAge != 0 {
			t.Errorf("bucket of shared state: %+v", ops)
		}
	})
}

func TestBucketsBearTheNamesOfTheirEnvironment(t *testing.T) {
	bubble(t, func(t *testing.T, _ *natstest.Server, nc *nats.Conn) {
		js := jetStream(t, nc)
		ensureBuckets(t, js, 1)
		if _, err := EnsureBuckets(withDeadline(t), js, wire.Names{Bucket: "staging", Prefix: "staging.wx"}, 1); err != nil {
			t.Fatal(err)
		}
		if got := streamConfig(t, js, "KV_staging").RePublish; got == nil || got.Destination != "staging.wx.update.>" {
			t.Errorf("the second environment republishes %+v", got)
		}
		streamConfig(t, js, "KV_staging_ops")
	})
}

func TestAdoptingChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, _ *natstest.Server, nc *nats.Conn) {
		js, names := jetStream(t, nc), wire.Names{Bucket: "theirs", Prefix: "theirs"}
		tokens := makeStream(t, js, ours(t, js, names, names.Bucket), asAnOperatorLikesIt, func(c *jetstream.StreamConfig) {
			c.MaxMsgsPerSubject = 20
			c.AllowMsgTTL = true
		})
		ops := makeStream(t, js, ours(t, js, names, names.OpsBucket()), asAnOperatorLikesIt)
		for range 2 {
			if _, err := EnsureBuckets(withDeadline(t), js, names, 1); err != nil {
				t.Fatal(err)
			}
			for _, before := range []jetstream.StreamConfig{tokens, ops} {
				if after := streamConfig(t, js, before.Name); !reflect.DeepEqual(after, before) {
					t.Errorf("%s was\n%+v and is\n%+v", before.Name, before, after)
				}
			}
		}
	})
}

func asAnOperatorLikesIt(c *jetstream.StreamConfig) {
	c.Description = "ours since 2019"
	c.MaxConsumers = 77
	c.MaxBytes = 64 << 20
	c.MaxMsgSize = 32 << 10
	c.MaxAge = 48 * time.Hour
	c.Duplicates = time.Minute
	c.Metadata = map[string]string{"team": "payments"}
	c.DenyDelete = false
	c.Compression = jetstream.S2Compression
	c.Placement = &jetstream.Placement{Tags: []string{}}
}

// ours is the config that a bucket of these names gets from EnsureBuckets. It makes none of that name.
func ours(t *testing.T, js jetstream.JetStream, names wire.Names, bucket string) jetstream.StreamConfig {
	t.Helper()
	ensureBuckets(t, js, 1)
	if bucket == names.OpsBucket() {
		c := streamConfig(t, js, "KV_wx_token_ops")
		c.Name, c.Subjects = "KV_"+bucket, []string{"$KV." + bucket + ".>"}
		return c
	}
	c := streamConfig(t, js, "KV_wx_token")
	c.Name, c.Subjects = names.Stream(), []string{names.KeySubject(">")}
	c.RePublish = &jetstream.RePublish{Source: names.KeySubject(">"), Destination: names.UpdateSubject(">")}
	return c
}

func makeStream(t *testing.T, js jetstream.JetStream, c jetstream.StreamConfig, change ...func(*jetstream.StreamConfig)) jetstream.StreamConfig {
	t.Helper()
	for _, change := range change {
		change(&c)
	}
	if _, err := js.CreateStream(withDeadline(t), c); err != nil {
		t.Fatal(err)
	}
	return streamConfig(t, js, c.Name)
}

func TestABucketMadeAnewIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, _ *natstest.Server, nc *nats.Conn) {
		js := jetStream(t, nc)
		created := ensureBuckets(t, js, 1)
		time.Sleep(time.Hour)
		if again := ensureBuckets(t, js, 1); !again.Equal(created) {
			t.Errorf("the same bucket is of %v and of %v", created, again)
		}
		if err := js.DeleteKeyValue(withDeadline(t), wire.DefaultBucket); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if anew := ensureBuckets(t, js, 1); !anew.After(created.Add(time.Hour)) {
			t.Errorf("the bucket made anew is of %v, like the first of %v", anew, created)
		}
	})
}

func TestPublishersThatStartTogetherFindTheSameBucket(t *testing.T) {
	bubble(t, func(t *testing.T, s *natstest.Server, _ *nats.Conn) {
		const publishers = 8
		var created [publishers]time.Time
		var all sync.WaitGroup
		for i := range publishers {
			js := jetStream(t, s.Connect())
			all.Go(func() {
				var err error
				if created[i], err = EnsureBuckets(t.Context(), js, wire.DefaultNames(), 1); err != nil {
					t.Errorf("publisher %d: %v", i, err)
				}
			})
		}
		all.Wait()
		for i := range created {
			if !created[i].Equal(created[0]) || created[i].IsZero() {
				t.Errorf("publisher %d sees a bucket of %v, publisher 0 one of %v", i, created[i], created[0])
			}
		}
	})
}

func TestMissingBucketsWhileNATSIsAwaySayThat(t *testing.T) {
	bubble(t, func(t *testing.T, s *natstest.Server, nc *nats.Conn) {
		s.Stop()
		time.Sleep(time.Second)
		_, err := EnsureBuckets(withDeadline(t), jetStream(t, nc), wire.DefaultNames(), 1)
		if err == nil || !strings.Contains(err.Error(), "not connected to NATS") {
			t.Errorf("EnsureBuckets = %v", err)
		}
		if _, ok := errors.AsType[*BucketError](err); ok {
			t.Errorf("an outage looks like a wrong bucket: %v", err)
		}
	})
}

func TestReplicasWithoutAClusterAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T, _ *natstest.Server, nc *nats.Conn) {
		_, err := EnsureBuckets(withDeadline(t), jetStream(t, nc), wire.DefaultNames(), 3)
		if err == nil || !strings.Contains(err.Error(), "non-clustered") {
			t.Errorf("EnsureBuckets = %v", err)
		}
	})
}

// differences are the ways in which a bucket that somebody else made doesn't do.
var differences = []struct {
	what  string
	ops   bool
	spoil func(*jetstream.StreamConfig)
	says  string
}{
	{"in memory", false, func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, "stores in memory"},
	{"in memory with all else wrong", false, func(c *jetstream.StreamConfig) { careless(c); c.Storage = jetstream.MemoryStorage }, "stores in memory"},
	{"with nothing but a name", false, careless, "doesn't republish"},
	{"no republishing", false, func(c *jetstream.StreamConfig) { c.RePublish = nil }, "doesn't republish"},
	{"republishing elsewhere", false, func(c *jetstream.StreamConfig) { c.RePublish.Destination = "other.>" }, "doesn't republish"},
	{"republishing some keys", false, func(c *jetstream.StreamConfig) {
		c.RePublish.Source = strings.Replace(c.RePublish.Source, ">", "wx1.>", 1)
	}, "doesn't republish"},
	{"republishing without values", false, func(c *jetstream.StreamConfig) { c.RePublish.HeadersOnly = true }, "doesn't republish"},
	{"short history", false, func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 4 }, "history is 4, want 5"},
	{"short-lived values", false, func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "end after 1h0m0s"},
	{"small values", false, func(c *jetstream.StreamConfig) { c.MaxMsgSize = 512 }, "512 bytes"},
	{"no direct gets", false, func(c *jetstream.StreamConfig) { c.AllowDirect = false }, "no direct gets"},
	{"ops in memory", true, func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, "stores in memory"},
	{"ops with nothing but a name", true, careless, "no TTL per key"},
	{"ops with history", true, func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 5 }, "history is 5, want 1"},
	{"ops without TTLs", true, func(c *jetstream.StreamConfig) { c.AllowMsgTTL, c.SubjectDeleteMarkerTTL = false, 0 }, "no TTL per key"},
	{"ops with short-lived values", true, func(c *jetstream.StreamConfig) { c.MaxAge, c.Duplicates = time.Minute, time.Minute }, "end after 1m0s"},
	{"ops with small values", true, func(c *jetstream.StreamConfig) { c.MaxMsgSize = 512 }, "512 bytes"},
}

// careless leaves a bucket nothing but its name.
func careless(c *jetstream.StreamConfig) {
	*c = jetstream.StreamConfig{
		Name:              c.Name,
		Subjects:          c.Subjects,
		MaxMsgsPerSubject: 1,
		Discard:           jetstream.DiscardNew,
		AllowRollup:       true,
		DenyDelete:        true,
	}
}

// spoiled makes a bucket in a way that doesn't do, and returns what EnsureBuckets says.
func spoiled(t *testing.T, js jetstream.JetStream, names wire.Names, ops bool, spoil func(*jetstream.StreamConfig)) *BucketError {
	t.Helper()
	bucket := names.Bucket
	if ops {
		bucket = names.OpsBucket()
	}
	before := makeStream(t, js, ours(t, js, names, bucket), spoil)
	_, err := EnsureBuckets(withDeadline(t), js, names, 1)
	wrong, ok := errors.AsType[*BucketError](err)
	if !ok {
		t.Fatalf("EnsureBuckets = %v, want a *BucketError", err)
	}
	if wrong.Bucket != bucket {
		t.Errorf("complains about %s, want %s", wrong.Bucket, bucket)
	}
	if after := streamConfig(t, js, "KV_"+bucket); !reflect.DeepEqual(after, before) {
		t.Errorf("a bucket that doesn't do was changed from\n%+v to\n%+v", before, after)
	}
	return wrong
}

func TestDifferencesAreToldWithACommand(t *testing.T) {
	bubble(t, func(t *testing.T, _ *natstest.Server, nc *nats.Conn) {
		js := jetStream(t, nc)
		for i, d := range differences {
			err := spoiled(t, js, numbered(i), d.ops, d.spoil)
			if !strings.Contains(err.Error(), d.says) {
				t.Errorf("%s: %q doesn't say %q", d.what, err, d.says)
			}
			for _, sentence := range err.Differences {
				if !command.MatchString(sentence) {
					t.Errorf("%s: no command in %q", d.what, sentence)
				}
			}
		}
	})
}

// numbered are names of their own for each difference: a server is slow to forget a stream of the same name.
func numbered(i int) wire.Names {
	return wire.Names{Bucket: fmt.Sprintf("bucket%d", i), Prefix: fmt.Sprintf("prefix%d", i)}
}

var command = regexp.MustCompile(`mend it with: (nats .*)\)$`)

// The commands are run by a shell, as an operator would paste them, over a real socket.
func TestTheCommandsMendTheBucket(t *testing.T) {
	if !haveNATSCommand() {
		t.Skip(needNATSCommand)
	}
	s := natstest.Start(t)
	js := jetStream(t, s.Connect())
	for i, d := range differences {
		t.Run(d.what, func(t *testing.T) {
			names := numbered(i)
			for _, sentence := range spoiled(t, js, names, d.ops, d.spoil).Differences {
				paste(t, s.URL(), command.FindStringSubmatch(sentence)[1])
			}
			if _, err := EnsureBuckets(withDeadline(t), js, names, 1); err != nil {
				t.Error(err)
			}
		})
	}
}

const needNATSCommand = "needs the nats command: go install github.com/nats-io/natscli/nats@latest"

func haveNATSCommand() bool {
	_, err := exec.LookPath("nats")
	return err == nil
}

func paste(t *testing.T, natsURL, command string) {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "sh", "-c", command)
	shell.Env = append(os.Environ(), "NATS_URL="+natsURL, "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
	if out, err := shell.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
}

// A publisher that had read a key before the store was lost wrote over what had been put back meanwhile: the key had the
// same revision again.
func TestABucketMadeAnewHasNoOldRevisions(t *testing.T) {
	bubble(t, func(t *testing.T, s *natstest.Server, nc *nats.Conn) {
		js := jetStream(t, nc)
		kv := OpenKV(nc, js, wire.DefaultBucket)
		put := func(expected uint64) (uint64, error) {
			return kv.Put(withDeadline(t), "a.b", []byte("x"), expected, 0)
		}
		ensureBuckets(t, js, 1)
		old, err := put(0)
		if err != nil {
			t.Fatal(err)
		}
		s.Restart(false)
		time.Sleep(5 * time.Second)
		ensureBuckets(t, js, 1)
		if again, err := put(0); err != nil || again <= old {
			t.Errorf("revision %d after %d, %v", again, old, err)
		}
		if _, err := put(old); !errors.Is(err, ErrConflict) {
			t.Errorf("a write over an old revision: %v", err)
		}
	})
}
