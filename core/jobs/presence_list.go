package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

const (
	listEvery  = 5 * time.Minute
	listAgain  = 2 * time.Second // after a look that was not complete
	listPage   = 512             // with their JWTs about 600 KiB
	listWait   = 5 * time.Second
	listQuiet  = 200 * time.Millisecond // servers that have not answered by then are not there,
	listSlow   = 2 * time.Second        // or not even by then, where there have been some
	forgetGone = 10 * time.Minute
)

// follow looks at the lists at once, after reconnects, when a server was silent, and now and then:
// sooner at first, for a server that was too slow to be heard is not known to be there.
func (p *Presence) follow(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := listAgain
	for {
		select {
		case <-timer.C:
		case <-p.again:
			next = listAgain
		case <-ctx.Done():
			return
		}
		complete, err := p.look(ctx)
		switch {
		case err == nil && complete:
			timer.Reset(next)
			next = min(4*next, listEvery)
			continue
		case errors.Is(err, bus.ErrNoResponders):
			p.trouble.warn(p.log, "NATS does not tell who is connected: its system account must export the peels' connections to CORE, as \"zester bootstrap\" sets it up")
		case err != nil && ctx.Err() == nil:
			p.trouble.warn(p.log, "NATS does not tell who is connected: trying again", "error", err)
		}
		timer.Reset(listAgain)
	}
}

// page is a server's answer: some of its connections.
type page struct {
	Server struct {
		ID string `json:"id"`
	} `json:"server"`
	Data struct {
		Total int `json:"total"`
		Conns []struct {
			CID     uint64    `json:"cid"`
			IP      string    `json:"ip"`
			Start   time.Time `json:"start"`
			Name    string    `json:"name"`
			Lang    string    `json:"lang"`
			Version string    `json:"version"`
			JWT     string    `json:"jwt"`
		} `json:"connections"`
	} `json:"data"`
}

// look reads the connections of all servers and brings what is known in line with them.
func (p *Presence) look(ctx context.Context) (complete bool, err error) {
	p.mu.Lock()
	p.round++
	p.mu.Unlock()
	totals := map[string]int{}
	for offset := 0; ; offset += p.page {
		more := slices.Max(append(slices.Collect(maps.Values(totals)), 0)) > offset
		if offset > 0 && !more {
			break
		}
		if err := p.readPage(ctx, offset, totals); err != nil {
			return false, err
		}
	}
	return p.settle(totals), nil
}

// missing says whether a server that has connections has not answered.
func (p *Presence) missing(totals map[string]int) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for c := range p.conns {
		if _, answered := totals[c.server]; !answered {
			return true
		}
	}
	return false
}

// readPage asks all servers for one page. Who they are shows with the first, for which those that
// are known to have connections get more time; the others they all must answer.
func (p *Presence) readPage(ctx context.Context, offset int, totals map[string]int) error {
	if offset == 0 {
		err := p.askPage(ctx, 0, totals, listQuiet, func(int) bool { return true })
		if err != nil || !p.missing(totals) {
			return err
		}
		return p.askPage(ctx, 0, totals, listSlow, func(int) bool { return p.missing(totals) })
	}
	answers := 0
	err := p.askPage(ctx, offset, totals, listSlow, func(n int) bool { answers = n; return n < len(totals) })
	if err == nil && answers < len(totals) {
		err = fmt.Errorf("%d of %d servers did not answer for all their connections", len(totals)-answers, len(totals))
	}
	return err
}

// askPage reads answers until more says, of how many there are, that it is enough.
func (p *Presence) askPage(ctx context.Context, offset int, totals map[string]int, quiet time.Duration, more func(int) bool) error {
	ask, err := json.Marshal(map[string]any{"auth": true, "offset": offset, "limit": p.page})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	answers := 0
	return p.conn.RequestMany(ctx, bus.PresenceList, ask, quiet, func(data []byte) bool {
		var answer page
		if err := json.Unmarshal(data, &answer); err != nil || answer.Server.ID == "" {
			p.log.Warn("a server's list of connections cannot be read", "error", err)
			return true
		}
		totals[answer.Server.ID] = answer.Data.Total
		p.take(&answer)
		answers++
		return more(answers)
	})
}

func (p *Presence) take(answer *page) {
	var fresh []string
	for _, c := range answer.Data.Conns {
		name := connection{answer.Server.ID, c.CID}
		p.mu.Lock()
		known := p.conns[name]
		if known != nil {
			known.round = p.round
		}
		p.mu.Unlock()
		if known != nil {
			continue
		}
		user, ok := p.identify(c.JWT) // costs a signature's verification
		if !ok {
			continue
		}
		p.mu.Lock()
		added := p.add(name, Peel{ID: user.Name, Public: user.Public, Since: c.Start, Address: c.IP, Name: c.Name, Lang: c.Lang, Version: c.Version})
		p.mu.Unlock()
		if added {
			fresh = append(fresh, user.Name)
		}
	}
	if !p.first() {
		for _, id := range fresh {
			p.arrived(id)
		}
	}
}

func (p *Presence) first() bool {
	select {
	case <-p.ready:
		return false
	default:
		return true
	}
}

// settle removes the connections whose servers did not list them. A server that is silent
// twice running is taken to be gone, and its connections with it.
func (p *Presence) settle(totals map[string]int) (complete bool) {
	complete = len(totals) > 0
	var left []string
	p.mu.Lock()
	now := time.Now()
	silent := map[string]int{}
	for c, known := range p.conns {
		if _, answered := totals[c.server]; !answered && silent[c.server] == 0 {
			silent[c.server] = p.quiet[c.server] + 1
		}
		if n := silent[c.server]; n == 1 {
			complete = false
		} else if n > 1 || known.round < p.round {
			if id := p.remove(c); id != "" {
				left = append(left, id)
			}
		}
	}
	p.quiet = silent
	maps.DeleteFunc(p.gone, func(_ connection, at time.Time) bool { return now.Sub(at) > forgetGone })
	p.mu.Unlock()
	if complete {
		p.once.Do(func() { close(p.ready) })
	}
	if p.OnDisconnect != nil {
		for _, id := range left {
			p.OnDisconnect(id)
		}
	}
	return complete
}
