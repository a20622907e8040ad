package subscriber

import (
	"sync/atomic"
	"testing"
	"time"
)

// bareSource is the least that can return what Token returns.
type bareSource struct{ p atomic.Pointer[bareState] }

type bareState struct {
	token Token
	err   error
}

func (b *bareSource) load() (Token, error) {
	p := b.p.Load()
	return p.token, p.err
}

// BenchmarkToken measures Token beside the least that could return the same, a bare atomic load of the same struct, and
// beside a GET of as many bytes from a Redis on loopback: by one goroutine, and by one on each core at once. The loops are
// written out, because a call through a variable costs more than what is measured.
func BenchmarkToken(b *testing.B) {
	src := &Source{}
	src.now.Store(snapshotOf(entry{Value: token(1, time.Hour)}, localClock(), time.Now()))
	bare := &bareSource{}
	bare.p.Store(&bareState{token: src.now.Load().token})
	b.Run("cores=one/by=ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if tok, err := src.Token(); err != nil || tok.Generation == 0 {
				b.Fatal(err)
			}
		}
	})
	b.Run("cores=one/by=load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if tok, err := bare.load(); err != nil || tok.Generation == 0 {
				b.Fatal(err)
			}
		}
	})
	b.Run("cores=one/by=redis", getAlone)
	b.Run("cores=all/by=ours", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if tok, err := src.Token(); err != nil || tok.Generation == 0 {
					b.Error(err)
				}
			}
		})
	})
	b.Run("cores=all/by=load", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if tok, err := bare.load(); err != nil || tok.Generation == 0 {
					b.Error(err)
				}
			}
		})
	})
	b.Run("cores=all/by=redis", getTogether)
}

func TestTokenAllocatesNothing(t *testing.T) {
	src := &Source{}
	src.now.Store(snapshotOf(entry{Value: token(1, time.Hour)}, localClock(), time.Now()))
	if n := testing.AllocsPerRun(100, func() { _, _ = src.Token() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
