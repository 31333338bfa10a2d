package jobs

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

// Presence knows which peels are connected, from what the NATS servers themselves say: their
// connection lists at the start and now and then, and an event for each that comes or goes.
// Peels send nothing for it. A peel whose process dies is gone at once; one whose host dies,
// when the server misses its answers to pings. Safe for concurrent use.
type Presence struct {
	conn    *bus.Conn
	account string
	log     *slog.Logger

	// OnConnect is called for each connection a peel makes, OnDisconnect when a peel's last one
	// is gone; not for those found by Run's first look. Set them before Run; they must not block.
	OnConnect, OnDisconnect func(id string)

	hooks map[int]func(id string) // of Watch, called like OnConnect
	hook  int

	again chan struct{}
	ready chan struct{} // closed when the first list is complete
	once  sync.Once

	trouble quietLog
	page    int // how many connections to ask for at once

	mu    sync.RWMutex
	conns map[connection]*presence
	peels map[string]map[connection]*presence
	gone  map[connection]time.Time // a list made before their end may still name them
	left  map[string]time.Time     // when peels went that are not connected
	round int                      // of looking at the lists
	quiet map[string]int           // servers that did not answer, and how often in a row
}

// connection is a connection's name in a cluster.
type connection struct {
	server string
	client uint64
}

type presence struct {
	peel  Peel
	round int // the one in which it was seen last
}

// Peel is a connected peel.
type Peel struct {
	ID      string
	Public  string    // its user key
	Since   time.Time // by the server's clock
	Address string    // as the server sees it
	Name    string    // what the peel calls its connection
	Lang    string    // of its NATS client
	Version string    // of its NATS client
}

// NewPresence makes the Presence of the peels of the account with this public key.
func NewPresence(conn *bus.Conn, account string, log *slog.Logger) *Presence {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Presence{
		conn: conn, account: account, log: log,
		again: make(chan struct{}, 1), ready: make(chan struct{}),
		conns: map[connection]*presence{}, peels: map[string]map[connection]*presence{},
		hooks: map[int]func(string){}, gone: map[connection]time.Time{}, left: map[string]time.Time{}, quiet: map[string]int{}, trouble: quietLog{every: time.Minute}, page: listPage,
	}
}

// Ready is closed when the peels that were connected at the start are known.
func (p *Presence) Ready() <-chan struct{} { return p.ready }

// Connected says whether a peel is connected.
func (p *Presence) Connected(id string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.peels[id]) > 0
}

// Absent is how long a peel has not been connected; for ever if it was not seen yet.
func (p *Presence) Absent(id string) time.Duration {
	p.mu.RLock()
	defer p.mu.RUnlock()
	at, known := p.left[id]
	switch {
	case len(p.peels[id]) > 0:
		return 0
	case known:
		return time.Since(at)
	}
	return math.MaxInt64
}

// List gives the connected peels, by id. Of several connections of one the newest counts.
func (p *Presence) List() []Peel {
	p.mu.RLock()
	defer p.mu.RUnlock()
	list := make([]Peel, 0, len(p.peels))
	for _, conns := range p.peels {
		var newest *presence
		for _, c := range conns {
			if newest == nil || c.peel.Since.After(newest.peel.Since) {
				newest = c
			}
		}
		list = append(list, newest.peel)
	}
	slices.SortFunc(list, func(a, b Peel) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// Count is how many peels are connected.
func (p *Presence) Count() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.peels)
}

// event is the servers' news of a connection.
type event struct {
	Server struct {
		ID string `json:"id"`
	} `json:"server"`
	Client struct {
		ID      uint64    `json:"id"`
		JWT     string    `json:"jwt"`
		Name    string    `json:"name"`
		Host    string    `json:"host"`
		Lang    string    `json:"lang"`
		Version string    `json:"ver"`
		Start   time.Time `json:"start"`
	} `json:"client"`
}

func (e *event) connection() connection { return connection{e.Server.ID, e.Client.ID} }

func decodeEvent(data []byte) (event, bool) {
	var e event
	err := json.Unmarshal(data, &e)
	return e, err == nil && e.Server.ID != "" && e.Client.ID != 0
}

// Run follows the peels until the context ends.
func (p *Presence) Run(ctx context.Context) error {
	came, err := p.conn.Subscribe(bus.PresenceConnect, func(m bus.Msg) {
		if e, ok := decodeEvent(m.Data); ok {
			p.connected(e)
		}
	})
	if err != nil {
		return err
	}
	defer came.Stop()
	went, err := p.conn.Subscribe(bus.PresenceDisconnect, func(m bus.Msg) {
		if e, ok := decodeEvent(m.Data); ok {
			p.disconnected(e.connection())
		}
	})
	if err != nil {
		return err
	}
	defer went.Stop()
	stop := p.conn.OnConnect(func() { signal(p.again) })
	defer stop()
	p.follow(ctx)
	return nil
}

func (p *Presence) connected(e event) {
	user, ok := p.identify(e.Client.JWT)
	if !ok {
		return
	}
	peel := Peel{ID: user.Name, Public: user.Public, Since: e.Client.Start, Address: e.Client.Host, Name: e.Client.Name, Lang: e.Client.Lang, Version: e.Client.Version}
	p.mu.Lock()
	added := p.add(e.connection(), peel)
	p.mu.Unlock()
	if added {
		p.arrived(peel.ID)
	}
}

// Watch calls f, which must not block, for each connection a peel makes from now on.
func (p *Presence) Watch(f func(id string)) (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.hook
	p.hook++
	p.hooks[n] = f
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.hooks, n)
	}
}

func (p *Presence) arrived(id string) {
	if p.OnConnect != nil {
		p.OnConnect(id)
	}
	p.mu.RLock()
	hooks := slices.Collect(maps.Values(p.hooks))
	p.mu.RUnlock()
	for _, f := range hooks {
		f(id)
	}
}

// identify reads a JWT. ok is false if it is none of a peel of ours.
func (p *Presence) identify(token string) (user keys.User, ok bool) {
	user, err := keys.ParseUser(token)
	return user, err == nil && user.Account == p.account && bus.CheckPeelID(user.Name) == nil
}

// add notes a connection. Its end may have been heard of first.
func (p *Presence) add(c connection, peel Peel) bool {
	if _, gone := p.gone[c]; gone {
		return false
	}
	if known := p.conns[c]; known != nil {
		known.round = p.round
		return false
	}
	seen := &presence{peel, p.round}
	p.conns[c] = seen
	if p.peels[peel.ID] == nil {
		p.peels[peel.ID] = map[connection]*presence{}
	}
	p.peels[peel.ID][c] = seen
	delete(p.left, peel.ID)
	return true
}

func (p *Presence) disconnected(c connection) {
	p.mu.Lock()
	p.gone[c] = time.Now()
	id := p.remove(c)
	p.mu.Unlock()
	if id != "" && p.OnDisconnect != nil {
		p.OnDisconnect(id)
	}
}

// remove forgets a connection and gives the peel that had no other.
func (p *Presence) remove(c connection) string {
	known := p.conns[c]
	if known == nil {
		return ""
	}
	delete(p.conns, c)
	id := known.peel.ID
	delete(p.peels[id], c)
	if len(p.peels[id]) > 0 {
		return ""
	}
	delete(p.peels, id)
	p.left[id] = time.Now()
	return id
}

// Peel gives a peel's connection; of several the newest counts.
func (p *Presence) Peel(id string) (peel Peel, connected bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, c := range p.peels[id] {
		if !connected || c.peel.Since.After(peel.Since) {
			peel, connected = c.peel, true
		}
	}
	return peel, connected
}
