package httpd

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
)

const unixScheme = "unix:"

// socketMode lets the owner's group call, too: a service beside the agent often runs as another user.
const socketMode = 0o660

// Listen opens addr: host:port, or unix: and the path of a socket. A socket that a killed process left behind is replaced,
// one that is in use is not.
func Listen(addr string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(addr, unixScheme)
	if !isUnix {
		return net.Listen("tcp", addr)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// removeStale removes a socket that nobody listens on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is no socket", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		return errors.Join(fmt.Errorf("%s is in use: another process listens on it", path), conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// CheckAddr tells what is wrong with an address for Listen, or nil.
func CheckAddr(addr string) error {
	if path, isUnix := strings.CutPrefix(addr, unixScheme); isUnix {
		if !strings.HasPrefix(path, "/") {
			return fmt.Errorf("%q: want unix: and an absolute path, like unix:/run/wxtoken/agent.sock", addr)
		}
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%q: want host:port, like 127.0.0.1:9403, or unix:/path", addr)
	}
	return nil
}

// Local tells whether nobody but this machine reaches addr.
func Local(addr string) bool {
	if strings.HasPrefix(addr, unixScheme) {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	if host == "localhost" {
		return err == nil
	}
	ip, notIP := netip.ParseAddr(host)
	return err == nil && notIP == nil && ip.Unmap().IsLoopback()
}

// URL is how to reach l, for people to read.
func URL(l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return unixScheme + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}
