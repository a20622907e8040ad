package statuspage

import (
	"bytes"
	"context"
	"net/http"

	"github.com/wxtoken/wxtoken/publisher"
)

// Source is what the page tells of: a *publisher.Publisher.
type Source interface {
	Status() publisher.Status
	History(ctx context.Context, appid string) ([]publisher.Minted, error)
	Surroundings(ctx context.Context) publisher.Surroundings
}

// Page serves the status page. All its methods may be called concurrently.
type Page struct {
	status    *statuses
	around    *surroundings
	histories *histories
	viewers   chan struct{} // one place for each
	ending    context.Context
	end       context.CancelFunc
}

// New makes a Page. It does no I/O before somebody looks at it.
func New(src Source) *Page {
	p := &Page{
		status:    &statuses{src: src},
		around:    &surroundings{src: src},
		histories: newHistories(src),
		viewers:   make(chan struct{}, viewerLimit),
	}
	p.ending, p.end = context.WithCancel(context.Background())
	return p
}

// Handle adds the page's paths.
func (p *Page) Handle(mux *http.ServeMux) {
	mux.Handle("GET /{$}", secured(p.serve))
	mux.Handle("GET /events", secured(p.events))
	mux.Handle("GET /static/{name}", secured(serveAsset))
}

// Close makes the streams of all viewers end, and lets none begin.
func (p *Page) Close() {
	p.end()
	p.around.close()
}

func (p *Page) serve(w http.ResponseWriter, r *http.Request) {
	view := p.look(r.Context(), askedFor(r))
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, "page.html", view); err != nil {
		http.Error(w, "the page can't be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", view.T.Lang)
	w.Header().Set("Vary", "Accept-Language")
	_, _ = w.Write(body.Bytes()) // fails only with the connection
}

// look is the page that was asked for, as things are now.
func (p *Page) look(ctx context.Context, q query) *view {
	status, around := p.status.get(), p.around.get(ctx)
	found := find(status.Accounts, q)
	return newView(q, status, around, found, p.histories.of(ctx, found.accounts))
}
