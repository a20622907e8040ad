package statuspage

import (
	"fmt"
	"strings"
	"time"

	"github.com/wxtoken/wxtoken/publisher"
)

type peer struct {
	Name, Version, Requests string
	Since                   moment
	Self                    bool
}

type server struct {
	Name, FullName, Version, Address, Cluster, RoundTrip string
	Others                                               []string
}

type bucket struct {
	Name, State, Text string
}

func (v *view) surround(around publisher.Surroundings, now time.Time) {
	t := v.T
	for _, p := range around.Peers {
		v.Peers = append(v.Peers, peer{p.Publisher, p.Version, t.requests(p.Requests), t.moment(p.Started, now), p.Self})
	}
	if s := around.Server; s.Name != "" || s.URL != "" || s.Embedded {
		v.Server = &server{
			Name: short(s.Name), FullName: s.Name, Version: s.Version, Address: s.URL, Cluster: s.Cluster,
			RoundTrip: t.roundTrip(s.RTT), Others: s.Others,
		}
		if s.Embedded {
			v.Server.Address = t.Embedded
		}
	}
	for _, b := range around.Buckets {
		v.Buckets = append(v.Buckets, newBucket(t, b))
	}
}

// roundTrip is told in steps, so that not every look shows another.
func (t *texts) roundTrip(d time.Duration) string {
	switch {
	case d == 0:
		return t.Unknown
	case d < time.Millisecond:
		return "< 1 ms"
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

// short cuts the names that servers give themselves: public keys of 56 letters.
func short(name string) string {
	if len(name) == 56 && !strings.ContainsAny(name, " .-") {
		return name[:8] + "…"
	}
	return name
}

func newBucket(t *texts, b publisher.Bucket) bucket {
	shown := bucket{Name: b.Name, State: stateOK.String()}
	if !b.Well() {
		shown.State = stateWarn.String()
	}
	if b.Err != nil {
		shown.State, shown.Text = stateBad.String(), b.Err.Error()
		return shown
	}
	parts := []string{fmt.Sprintf("%d/%d %s", b.Current, b.Replicas, t.Replicas)}
	if b.Leader != "" && b.Replicas > 1 {
		parts = append(parts, t.Leader+" "+short(b.Leader))
	}
	if len(b.Behind) > 0 {
		parts = append(parts, t.Behind+t.Colon+strings.Join(b.Behind, ", "))
	}
	shown.Text = strings.Join(parts, " · ")
	return shown
}
