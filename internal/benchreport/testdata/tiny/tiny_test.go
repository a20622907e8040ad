package tiny

import "testing"

func BenchmarkTiny(b *testing.B) {
	b.Run("size=1/by=ours", func(b *testing.B) { b.ReportMetric(3, "p99-ms") })
	b.Run("size=1/by=one.two", func(b *testing.B) { b.Skip("no such program") })
	b.Run("size=1/by=broken", func(b *testing.B) { b.Fatal("out of order") })
	b.Run("size=10/by=ours", func(b *testing.B) {})
}
