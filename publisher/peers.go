package publisher

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/wxtoken/wxtoken/internal/wire"
)

// Peer is a publisher that answers micro's discovery.
type Peer struct {
	Publisher string // its name
	Version   string
	Started   time.Time // by its own clock
	Requests  int       // that it took since then
	Self      bool
}

const (
	// quiet is how long nobody may answer until all have.
	quiet = 250 * time.Millisecond
	// maxPeers and maxPeerName bound what is believed of answers, which anybody on the bus may give.
	maxPeers, maxPeerName = 100, 128
)

// peers asks who lives, and waits until no more answers come.
func (p *Publisher) peers(ctx context.Context) []Peer {
	subject, err := micro.ControlSubject(micro.StatsVerb, wire.ServiceName, "")
	if err != nil {
		return nil
	}
	nc, inbox := p.cfg.Conn, p.cfg.Conn.NewInbox()
	replies, err := nc.SubscribeSync(inbox)
	if err != nil {
		return nil
	}
	defer func() { _ = replies.Unsubscribe() }() // fails only with the connection
	if nc.PublishRequest(subject, inbox, nil) != nil {
		return nil
	}
	var peers []Peer
	for len(peers) < maxPeers {
		msg, err := next(ctx, replies)
		if err != nil {
			break
		}
		if peer, ok := p.peer(msg.Data); ok {
			peers = append(peers, peer)
		}
	}
	slices.SortFunc(peers, func(a, b Peer) int { return cmp.Compare(a.Publisher, b.Publisher) })
	return peers
}

func next(ctx context.Context, replies *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	return replies.NextMsgWithContext(ctx)
}

// peer reads an answer. Publishers of other buckets are none of ours.
func (p *Publisher) peer(data []byte) (peer Peer, ok bool) {
	var stats micro.Stats
	if json.Unmarshal(data, &stats) != nil || stats.Name != wire.ServiceName || stats.Metadata["bucket"] != p.cfg.Names.Bucket {
		return Peer{}, false
	}
	peer = Peer{Publisher: clip(cmp.Or(stats.Metadata["publisher"], stats.ID)), Version: clip(stats.Version), Started: stats.Started}
	peer.Self = peer.Publisher == clip(p.cfg.Publisher)
	for _, e := range stats.Endpoints {
		if e != nil {
			peer.Requests += e.NumRequests
		}
	}
	return peer, peer.Publisher != ""
}

func clip(text string) string { return strings.ToValidUTF8(text[:min(len(text), maxPeerName)], "") }
