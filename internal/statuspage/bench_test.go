package statuspage

import "testing"

// What a viewer costs each second while everything changes, of 5,000 accounts.
func BenchmarkNews(b *testing.B) {
	page := New(newFleet(many(5000)...))
	defer page.Close()
	for b.Loop() {
		s := &stream{page: page, query: query{page: 1, lang: langEN}, sent: make(map[string]string)}
		if s.news(b.Context()) == "" {
			b.Fatal("no news")
		}
	}
}
