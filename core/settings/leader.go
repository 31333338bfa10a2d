package settings

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// leader is the master that stores, for as long as ctx lives, and what it knows is stored.
type leader struct {
	ctx context.Context
	key []byte // for fingerprints

	mu     sync.Mutex
	stored map[string]stored // by peel
}

type stored struct {
	revision    uint64 // in the bucket
	serial      int64
	fingerprint []byte
}

// load reads what the bucket holds.
func (l *leader) load(ctx context.Context, conn *bus.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	entries, err := conn.GetMany(ctx, bus.BucketSettings, ">")
	if err != nil {
		return err
	}
	for _, e := range entries {
		id := bus.FromToken(e.Key)
		l.set(id, l.read(id, e))
	}
	return nil
}

// read reads an entry's outside. What no master has written counts as something to be replaced.
func (l *leader) read(id string, e bus.Entry) stored {
	var env envelope
	if err := bus.Unmarshal(e.Value, &env); err != nil || !hmac.Equal(env.Mark, serialMark(l.key, id, env.Serial)) {
		return stored{revision: e.Revision}
	}
	return stored{e.Revision, env.Serial, env.Fingerprint}
}

func (l *leader) get(id string) stored {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stored[id]
}

func (l *leader) set(id string, s stored) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stored[id] = s
}

// known is how many entries of the bucket are known, and the last revision of it.
func (l *leader) known() (entries, revision uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.stored {
		if s.revision > 0 {
			entries, revision = entries+1, max(revision, s.revision)
		}
	}
	return entries, revision
}

func (l *leader) holds(id string) bool { return l.get(id).revision != 0 }

// store seals a parcel to a peel and puts it into the bucket, unless it is there.
func (s *Service) store(l *leader, id, curve string, p parcel) error {
	const attempts = 3
	sum := p.digest()
	var err error
	for range attempts {
		have := l.get(id)
		if hmac.Equal(have.fingerprint, fingerprint(s.key, id, curve, have.serial, sum)) {
			return nil
		}
		var next stored
		if next, err = s.write(l.ctx, id, curve, have, p, sum); err == nil {
			l.set(id, next)
			s.o.Metrics.GetOrCreateCounter("zester_settings_stored_total").Inc()
			return nil
		}
		if !errors.Is(err, bus.ErrConflict) && !errors.Is(err, bus.ErrExists) {
			break
		}
		if err := l.reread(s.o.Conn, id); err != nil {
			return fmt.Errorf("%w: %w", errStore, err)
		}
	}
	if l.ctx.Err() != nil {
		return nil // another master's affair now
	}
	return fmt.Errorf("%w: %w", errStore, err)
}

func (s *Service) write(ctx context.Context, id, curve string, have stored, p parcel, sum [sha256.Size]byte) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	serial := max(time.Now().UnixNano(), have.serial+1)
	sealed, err := seal(s.o.Account, id, curve, serial, p)
	if err != nil {
		return stored{}, err
	}
	print := fingerprint(s.key, id, curve, serial, sum)
	value, err := bus.Marshal(envelope{Sealed: sealed, Serial: serial, Mark: serialMark(s.key, id, serial), Fingerprint: print})
	if err != nil {
		return stored{}, err
	}
	var rev uint64
	if have.revision == 0 {
		rev, err = s.o.Conn.Create(ctx, bus.BucketSettings, bus.Token(id), value)
	} else {
		rev, err = s.o.Conn.Update(ctx, bus.BucketSettings, bus.Token(id), value, have.revision)
	}
	return stored{rev, serial, print}, err
}

func (l *leader) reread(conn *bus.Conn, id string) error {
	ctx, cancel := context.WithTimeout(l.ctx, storeTimeout)
	defer cancel()
	e, err := conn.Get(ctx, bus.BucketSettings, bus.Token(id))
	var now stored
	switch {
	case err == nil:
		now = l.read(id, e)
	case !errors.Is(err, bus.ErrNotFound):
		return err
	}
	now.serial = max(now.serial, l.get(id).serial) // the peel may have seen that one
	l.set(id, now)
	return nil
}
