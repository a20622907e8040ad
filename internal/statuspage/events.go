package statuspage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	viewerLimit = 64
	lookEvery   = time.Second
	beatEvery   = 15 * time.Second // when there is nothing to say
)

// events streams what changes on the page that was asked for.
func (p *Page) events(w http.ResponseWriter, r *http.Request) {
	select {
	case p.viewers <- struct{}{}:
		defer func() { <-p.viewers }()
	default:
		refuse(w, "too many viewers")
		return
	}
	if p.ending.Err() != nil {
		refuse(w, "shutting down")
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no") // a proxy's
	if r.Method == http.MethodHead {
		return
	}
	conn := http.NewResponseController(w)
	cut := context.AfterFunc(p.ending, func() { _ = conn.SetWriteDeadline(time.Now()) }) // of who doesn't read
	defer cut()
	s := &stream{page: p, query: askedFor(r), to: w, conn: conn, sent: make(map[string]string)}
	s.run(r.Context())
}

func refuse(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", "15")
	http.Error(w, why, http.StatusServiceUnavailable)
}

// stream is one viewer's.
type stream struct {
	page  *Page
	query query
	to    io.Writer
	conn  *http.ResponseController
	sent  map[string]string // by id of the element
	order []string
	title string
}

// run looks each second, until the viewer or the page goes.
func (s *stream) run(viewer context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	if _, err := io.WriteString(s.to, "retry: 2000\n\n"); err != nil {
		return
	}
	for spoke := time.Now(); ; {
		text := s.news(viewer)
		if text == "" && time.Since(spoke) >= beatEvery {
			text = ": nothing new\n\n"
		}
		if text != "" {
			if s.say(text) != nil {
				return
			}
			spoke = time.Now()
		}
		select {
		case <-look.C:
		case <-viewer.Done():
			return
		case <-s.page.ending.Done():
			return
		}
	}
}

func (s *stream) say(text string) error {
	if _, err := io.WriteString(s.to, text); err != nil {
		return err
	}
	return s.conn.Flush()
}

// change is one message: HTML of the elements that are new, and the rows' order where it is another.
type change struct {
	Title string            `json:"title,omitempty"`
	Parts map[string]string `json:"parts,omitempty"`
	Rows  map[string]string `json:"rows,omitempty"`
	Order []string          `json:"order"` // null = as before
}

// parts are the elements of the page beside the rows; each has a template of its name.
var parts = []string{"banner", "facts", "pager", "publishers", "nats"}

// news is an event with all that differs from what was sent, or "".
func (s *stream) news(ctx context.Context) string {
	v := s.page.look(ctx, s.query)
	c := change{Parts: make(map[string]string), Rows: make(map[string]string)}
	for _, id := range parts {
		s.render(id, id, v, c.Parts)
	}
	order := []string{}
	for _, r := range v.Rows {
		order = append(order, r.ElementID())
		s.render(r.ElementID(), "row", r, c.Rows)
	}
	changed := len(c.Parts)+len(c.Rows) > 0
	if s.order == nil || !slices.Equal(order, s.order) {
		c.Order, changed = order, true
		s.forget(order)
	}
	if v.Title != s.title {
		c.Title, changed = v.Title, true
	}
	s.order, s.title = order, v.Title
	if !changed {
		return ""
	}
	data, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("data: %s\n\n", data)
}

// render adds the element to changed if it isn't as it was sent last.
func (s *stream) render(id, template string, data any, changed map[string]string) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, template, data); err != nil {
		return
	}
	if html := out.String(); html != s.sent[id] {
		s.sent[id], changed[id] = html, html
	}
}

// forget drops rows that the viewer has no longer.
func (s *stream) forget(order []string) {
	for id := range s.sent {
		if strings.HasPrefix(id, rowPrefix) && !slices.Contains(order, id) {
			delete(s.sent, id)
		}
	}
}
