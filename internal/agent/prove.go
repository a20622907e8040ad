package agent

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// proofLasts is how long a token that was found good is taken for good.
	proofLasts = 5 * time.Second
	// proofTimeout bounds the trial; the upload goes on without it.
	proofTimeout = 15 * time.Second
	maxProof     = 64 << 10
)

// proof tells when WeChat accepted a token.
type proof struct {
	id string
	at time.Time
}

// prove makes a harmless call, which heals a token that is dead, before a body is sent that can't be sent again.
func (c *call) prove(ctx context.Context) {
	o := c.account.opened.Load()
	if p := c.account.proven.Load(); p != nil && time.Since(p.at) < proofLasts {
		if held, err := o.src.Token(); err == nil && held.ID == p.id {
			return
		}
	}
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	base := c.bases[0]
	url := base.Scheme + "://" + base.Host + strings.TrimSuffix(base.Path, "/") + "/cgi-bin/get_api_domain_ip"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	resp, err := o.transport.RoundTrip(r)
	if err != nil {
		return // the upload itself will say
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxProof))
	held, gone := o.src.Token()
	if err == nil && gone == nil && resp.StatusCode == http.StatusOK && errcodeIn(data) == 0 {
		c.account.proven.Store(&proof{held.ID, time.Now()})
	}
}
