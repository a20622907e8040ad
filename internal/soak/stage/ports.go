package stage

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// ports gives out loopback addresses, one after the other. Its ports are none that the kernel gives to outgoing
// connections: while a server is down, one of these could take its port.
type ports struct{ next int }

const firstPort, portCount = 20_000, 12_000

func (p *ports) addr() (string, error) {
	for range portCount {
		p.next++
		addr := fmt.Sprintf("127.0.0.1:%d", firstPort+(os.Getpid()*101+p.next)%portCount)
		if l, err := net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", errors.New("no port is free on 127.0.0.1")
}

// addrs are n of them.
func (p *ports) addrs(n int) ([]string, error) {
	var errs error
	list := make([]string, n)
	for i := range list {
		addr, err := p.addr()
		list[i], errs = addr, errors.Join(errs, err)
	}
	return list, errs
}
