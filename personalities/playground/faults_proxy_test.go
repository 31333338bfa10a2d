//go:build faults

package playground_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// direction is of a message: up goes to the server, down to its client.
type direction string

const (
	up   direction = "up"
	down direction = "down"
)

// message is one operation of NATS's client protocol, whole.
type message struct {
	verb, subject string
	raw           []byte
}

// rule says what goes on in place of a message. It may block: then the direction stands still
// behind the message.
type rule func(p *proxy, m message) []message

// proxy stands between one process and the server. It knows NATS's protocol, so that faults hit
// the moment they are meant for.
type proxy struct {
	name string
	addr string
	to   string

	mu      sync.Mutex
	flow    *sync.Cond
	stalled bool
	rules   map[direction]rule
	links   map[*link]bool
}

// link is one connection through a proxy.
type link struct {
	client, server net.Conn
	once           sync.Once
	gone           chan struct{}
}

func (l *link) close() {
	l.once.Do(func() {
		close(l.gone)
		l.client.Close()
		l.server.Close()
	})
}

func newProxy(t testing.TB, name, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{name: name, addr: l.Addr().String(), to: to, rules: map[direction]rule{}, links: map[*link]bool{}}
	p.flow = sync.NewCond(&p.mu)
	t.Cleanup(func() { l.Close(); p.drop() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

func (p *proxy) url() string { return "nats://" + p.addr }

func (p *proxy) serve(c net.Conn) {
	p.open() // during a partition not even the greeting comes through
	s, err := net.Dial("tcp", p.to)
	if err != nil {
		c.Close()
		return
	}
	l := &link{client: c, server: s, gone: make(chan struct{})}
	// Little room on the way, so that a client that does not read is felt by the server.
	s.(*net.TCPConn).SetReadBuffer(32 << 10)
	p.mu.Lock()
	p.links[l] = true
	p.mu.Unlock()
	go p.pump(l, down, s, c)
	p.pump(l, up, c, s)
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

func (p *proxy) pump(l *link, d direction, from io.Reader, to io.Writer) {
	defer l.close()
	r := bufio.NewReaderSize(from, 64<<10)
	for {
		m, err := readMessage(r)
		if err != nil {
			return
		}
		p.mu.Lock()
		f := p.rules[d]
		p.mu.Unlock()
		pass := []message{m}
		if f != nil && m.subject != "" {
			pass = f(p, m)
		}
		for _, m := range pass {
			p.open()
			select {
			case <-l.gone:
				return
			default:
			}
			if _, err := to.Write(m.raw); err != nil {
				return
			}
		}
	}
}

// open waits until the partition is over.
func (p *proxy) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.stalled {
		p.flow.Wait()
	}
}

// stall stops all traffic as a cut cable does: nobody is told.
func (p *proxy) stall(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = on
	p.flow.Broadcast()
}

// drop closes all connections, as the kernel does for a killed process.
func (p *proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = false
	p.flow.Broadcast()
	for l := range p.links {
		l.close()
	}
}

func (p *proxy) set(d direction, f rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules[d] = f
}

// dam catches the n-th message that matches, on whichever of its proxies that is, before it goes
// on, and holds it and all behind it until open.
type dam struct {
	hit   chan struct{}
	where *proxy
	opens func()
}

func hold(d direction, n int, match func(message) bool, on ...*proxy) *dam {
	x := &dam{hit: make(chan struct{})}
	released := make(chan struct{})
	x.opens = sync.OnceFunc(func() { close(released) })
	var mu sync.Mutex
	seen := map[*proxy]int{}
	for _, p := range on {
		p.set(d, func(p *proxy, m message) []message {
			mu.Lock()
			caught := false
			if x.where == nil && match(m) {
				if seen[p]++; seen[p] == n {
					x.where, caught = p, true
					close(x.hit)
				}
			}
			mu.Unlock()
			if caught {
				<-released
			}
			return []message{m}
		})
	}
	return x
}

// subject matches by NATS's rules for wildcards.
func subject(pattern string) func(message) bool {
	want := strings.Split(pattern, ".")
	return func(m message) bool {
		if m.verb == "SUB" || m.verb == "UNSUB" {
			return false
		}
		have := strings.Split(m.subject, ".")
		for i, w := range want {
			switch {
			case w == ">":
				return len(have) > i
			case i >= len(have) || w != "*" && w != have[i]:
				return false
			}
		}
		return len(have) == len(want)
	}
}

// readMessage reads an operation; those without a subject are passed as they are.
func readMessage(r *bufio.Reader) (message, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return message{}, err
	}
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return message{raw: line}, nil
	}
	m := message{verb: strings.ToUpper(words[0]), raw: line}
	switch m.verb {
	case "PUB", "HPUB", "MSG", "HMSG":
	default:
		return m, nil
	}
	size, err := strconv.Atoi(words[len(words)-1])
	if err != nil || len(words) < 3 {
		return m, fmt.Errorf("not NATS: %.80q", line)
	}
	m.subject = words[1]
	m.raw = append(line, make([]byte, size+2)...)
	_, err = io.ReadFull(r, m.raw[len(line):])
	return m, err
}
