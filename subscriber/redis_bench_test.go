package subscriber

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// getAlone measures a GET by one client.
func getAlone(b *testing.B) {
	client := dialRedis(b, startRedis(b))
	for b.Loop() {
		if _, err := client.call("GET", "token"); err != nil {
			b.Fatal(err)
		}
	}
}

// getTogether measures a GET by as many clients as there are cores, each on a connection of its own.
func getTogether(b *testing.B) {
	addr := startRedis(b)
	clients := make(chan redisClient, runtime.GOMAXPROCS(0))
	for range cap(clients) {
		clients <- dialRedis(b, addr)
	}
	b.RunParallel(func(pb *testing.PB) {
		client := <-clients
		for pb.Next() {
			if _, err := client.call("GET", "token"); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// startRedis runs a server with a token in it until the benchmark ends.
func startRedis(b *testing.B) (addr string) {
	b.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		b.Skip("redis-server is not in PATH")
	}
	addr = freeAddress(b)
	_, port, _ := net.SplitHostPort(addr)
	server := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", b.TempDir())
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = server.Process.Kill() // and then it has ended
		_ = server.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		_, err = newRedisClient(conn).call("SET", "token", strings.Repeat("x", 157))
		_ = conn.Close() // it was only for that
		if err == nil {
			return addr
		}
	}
	b.Fatal("redis-server does not get ready")
	return ""
}

// freeAddress is one on loopback where nobody listens, or did a moment ago.
func freeAddress(b *testing.B) string {
	b.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = free.Close() }() // another takes its place
	return free.Addr().String()
}

// redisClient speaks as much of Redis's protocol as it takes, on one connection.
type redisClient struct {
	conn    net.Conn
	replies *bufio.Reader
}

func newRedisClient(conn net.Conn) redisClient { return redisClient{conn, bufio.NewReader(conn)} }

// dialRedis opens a connection that is closed when the benchmark ends.
func dialRedis(b *testing.B, addr string) redisClient {
	b.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() }) // the benchmark is over
	return newRedisClient(conn)
}

// call sends a command and reads a reply that is a line or a string.
func (c redisClient) call(words ...string) (string, error) {
	var command strings.Builder
	fmt.Fprintf(&command, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&command, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := c.conn.Write([]byte(command.String())); err != nil {
		return "", err
	}
	line, err := c.replies.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "$") {
		return line, err
	}
	return c.replies.ReadString('\n')
}
