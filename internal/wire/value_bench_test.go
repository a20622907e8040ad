package wire

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/wxtoken/wxtoken/internal/secret"
)

// BenchmarkDecodeValue measures what a reader pays for a stored value with a token as long as WeChat's, beside what
// encoding/json takes for the same fields, unchecked.
func BenchmarkDecodeValue(b *testing.B) {
	stored := example()
	stored.Token = secret.New(strings.Repeat("84_vWP-x", 17))
	data, err := stored.Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("by=ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeValue(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("by=json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var j jsonValue
			if err := json.Unmarshal(data, &j); err != nil {
				b.Fatal(err)
			}
		}
	})
}
