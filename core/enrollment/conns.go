package enrollment

import (
	"net"
	"sync"
)

// Connections that may be open at once.
const (
	maxConns        = 8192
	maxConnsAddress = 1024
)

// limitedListener closes connections beyond the limits at once, before a handshake costs anything.
type limitedListener struct {
	net.Listener
	mu   sync.Mutex
	all  int
	open map[string]int
}

func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
		key := network(host)
		if l.enter(key) {
			return &limitedConn{Conn: conn, leave: sync.OnceFunc(func() { l.leave(key) })}, nil
		}
		conn.Close()
	}
}

func (l *limitedListener) enter(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= maxConns || l.open[key] >= maxConnsAddress {
		return false
	}
	l.all++
	l.open[key]++
	return true
}

func (l *limitedListener) leave(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.open[key]--; l.open[key] == 0 {
		delete(l.open, key)
	}
}

type limitedConn struct {
	net.Conn
	leave func()
}

func (c *limitedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
