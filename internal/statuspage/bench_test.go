package statuspage

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// What a viewer costs each second while everything changes, of 5,000 accounts, beside the whole page loaded anew.
func BenchmarkNews(b *testing.B) {
	page := New(newFleet(many(5000)...))
	defer page.Close()
	b.Run("accounts=5000/by=ours", func(b *testing.B) {
		for b.Loop() {
			s := &stream{page: page, query: query{page: 1, lang: langEN}, sent: make(map[string]string)}
			if s.news(b.Context()) == "" {
				b.Fatal("no news")
			}
		}
	})
	b.Run("accounts=5000/by=reload", func(b *testing.B) {
		for b.Loop() {
			w := httptest.NewRecorder()
			page.serve(w, httptest.NewRequest(http.MethodGet, "/?page=1", nil))
			if w.Code != http.StatusOK {
				b.Fatal(w.Code)
			}
		}
	})
}
