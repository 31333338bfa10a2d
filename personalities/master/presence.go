package master

import (
	"context"
	"time"

	"github.com/ptorbus/zester/core/jobs"
)

// followPresence keeps track of who is connected, and notes each peel's first connection.
func (m *master) followPresence(ctx context.Context, duty func(string, func(context.Context) error)) {
	m.presence = jobs.NewPresence(m.conn, m.account.Public(), m.log)
	arrivals := make(chan string, 1024)
	m.presence.OnConnect = func(id string) {
		select {
		case arrivals <- id:
		default: // the next look at the whole list will find it
		}
	}
	duty("presence", m.presence.Run)
	duty("arrivals", func(ctx context.Context) error {
		m.activate(ctx, arrivals)
		return nil
	})
}

// sweep is how often all connected peels are looked at, for arrivals that were missed.
const sweep = time.Minute

// activate marks peels active that have connected for the first time.
func (m *master) activate(ctx context.Context, arrivals <-chan string) {
	ticker := time.NewTicker(sweep)
	defer ticker.Stop()
	ready := m.presence.Ready()
	for {
		select {
		case id := <-arrivals:
			if peel, ok := m.presence.Peel(id); ok {
				m.markActive(ctx, peel)
			}
			continue
		case <-ready:
			ready = nil
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		for _, peel := range m.presence.List() {
			m.markActive(ctx, peel)
		}
	}
}

// markActive goes by the key that the peel has connected with: a removed peel may still be
// there when its id is enrolled anew.
func (m *master) markActive(ctx context.Context, peel jobs.Peel) {
	if !m.directory.Issued(peel.ID) {
		return
	}
	if _, err := m.store.MarkActive(ctx, peel.ID, peel.Public); err != nil && ctx.Err() == nil {
		m.log.Warn("a peel's first connection cannot be noted", "peel", peel.ID, "error", err)
	}
}

// servePeels answers "zester peels".
func (m *master) servePeels() error {
	_, err := jobs.ServePeels(m.conn, m.list, func(id string) jobs.Status {
		s := jobs.Status{ID: id}
		if peel, ok := m.presence.Peel(id); ok {
			s.Connected, s.Since, s.Address = true, peel.Since, peel.Address
		}
		if facts := m.index.Facts(id); facts != nil {
			s.Version, _ = facts["zester_version"].(string)
		}
		return s
	})
	return err
}

func (m *master) list(text string) ([]string, error) {
	t, err := m.parse(text)
	if err != nil {
		return nil, err
	}
	return m.match(t)
}
