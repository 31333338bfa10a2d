package jobs_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

// proxy stands between one connection and the server, and can cut it.
type proxy struct {
	url string
	to  string

	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

func newProxy(t testing.TB, to string) *proxy {
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{url: "nats://" + l.Addr().String(), to: u.Host}
	t.Cleanup(func() { l.Close(); p.cut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.forward(c)
		}
	}()
	return p
}

func (p *proxy) forward(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := net.Dial("tcp", p.to)
	if p.down || err != nil {
		c.Close()
		if err == nil {
			s.Close()
		}
		return
	}
	p.conns = append(p.conns, c, s)
	for _, pair := range [][2]net.Conn{{c, s}, {s, c}} {
		go func() {
			io.Copy(pair[0], pair[1])
			pair[0].Close()
		}()
	}
}

// cut drops the connection, as a killed process or a cable would, and refuses new ones until mend.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// through connects over a proxy.
func (f *fleet) through(t testing.TB, creds keys.Creds, side bus.Side) (*bus.Conn, *proxy) {
	t.Helper()
	p := newProxy(t, f.URL)
	o := bus.Options{URL: p.url, Side: side, Log: f.log, Name: "behind a proxy", Patience: patience}
	creds.Fill(&o)
	c, err := bus.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, p
}
