package stage

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

func newTestLink(t *testing.T) *Link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn) // ends with the connection
			}()
		}
	}()
	n := newNetwork(&ports{})
	t.Cleanup(n.close)
	link, err := n.link("test", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func (l *Link) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", l.proxies[0].Listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// echoed sends text and waits for it to come back.
func echoed(conn net.Conn, text string, patience time.Duration) error {
	if _, err := io.WriteString(conn, text); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, len(text)))
	return err
}

func TestConditionsOfALink(t *testing.T) {
	link := newTestLink(t)
	conn := link.dial(t)
	if err := echoed(conn, "clear", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	link.Turn(Slow)
	began := time.Now()
	if err := echoed(conn, "slow", 10*time.Second); err != nil || time.Since(began) < 2*slowLatency {
		t.Errorf("slow: %v after %v", err, time.Since(began))
	}
	link.Turn(Dead)
	if err := echoed(conn, "dead", 200*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("dead: %v, want silence", err)
	}
	if err := link.Heal(); err != nil {
		t.Fatal(err)
	}
	if err := echoed(conn, "lost", 10*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection that has lost bytes goes on: %v", err)
	}
	if err := echoed(link.dial(t), "healed", 10*time.Second); err != nil {
		t.Error(err)
	}
}

// A link can be struck and healed while its connections are full of data and end.
func TestLinksDoNotHang(t *testing.T) {
	link := newTestLink(t)
	var flooding sync.WaitGroup
	for range 30 {
		for range 4 {
			conn := link.dial(t)
			flooding.Go(func() {
				defer conn.Close()
				for data := make([]byte, 64<<10); ; {
					if _, err := conn.Write(data); err != nil {
						return
					}
				}
			})
		}
		for _, c := range []Condition{Slow, Dead} {
			link.Turn(c)
			time.Sleep(5 * time.Millisecond)
		}
		if err := link.Heal(); err != nil {
			t.Fatal(err)
		}
	}
	flooding.Wait()
}
