package enrollment

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// Store keeps the records in the fleet's bucket.
type Store struct {
	conn  *bus.Conn
	clock func() time.Time
}

// NewStore makes a store on a master's connection. A nil clock is time.Now.
func NewStore(conn *bus.Conn, clock func() time.Time) *Store {
	if clock == nil {
		clock = time.Now
	}
	return &Store{conn: conn, clock: clock}
}

// Get reads one record. It returns ErrUnknown if there is none.
func (s *Store) Get(ctx context.Context, id string) (Record, error) {
	r, _, err := s.read(ctx, id)
	return r, err
}

func (s *Store) read(ctx context.Context, id string) (Record, uint64, error) {
	e, err := s.conn.Get(ctx, bus.BucketEnrollments, bus.Token(id))
	if errors.Is(err, bus.ErrNotFound) {
		return Record{}, 0, fmt.Errorf("peel %q: %w", id, ErrUnknown)
	}
	if err != nil {
		return Record{}, 0, err
	}
	r, err := decodeRecord(e)
	return r, e.Revision, err
}

// errDamaged: an entry is no record. It counts for nothing, stands in the way of its id, and can be removed.
var errDamaged = errors.New("damaged")

func decodeRecord(e bus.Entry) (Record, error) {
	var r Record
	if err := bus.Unmarshal(e.Value, &r); err != nil {
		return Record{}, fmt.Errorf("bucket %s: entry %q is %w: %w", e.Bucket, e.Key, errDamaged, err)
	}
	if bus.Token(r.ID) != e.Key {
		return Record{}, fmt.Errorf("bucket %s: entry %q is %w: it holds the record of %q", e.Bucket, e.Key, errDamaged, r.ID)
	}
	r.toUTC()
	return r, nil
}

// List reads the records of the given ids, sorted by id. Ids without a record, or with a damaged one, are left out.
func (s *Store) List(ctx context.Context, ids ...string) ([]Record, error) {
	entries, err := s.entries(ctx, ids)
	if err != nil {
		return nil, err
	}
	records := make([]Record, 0, len(entries))
	for _, e := range entries {
		if r, err := decodeRecord(e); err == nil { // a Directory logs those that are damaged
			records = append(records, r)
		}
	}
	slices.SortFunc(records, func(a, b Record) int { return strings.Compare(a.ID, b.ID) })
	return records, nil
}

func (s *Store) entries(ctx context.Context, ids []string) ([]bus.Entry, error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = bus.Token(id)
	}
	return s.conn.GetMany(ctx, bus.BucketEnrollments, keys...)
}

// Submit stores a new request as pending. The same keys again change nothing and return the record as it is; other keys
// for a known id are a *KeyError.
func (s *Store) Submit(ctx context.Context, r Record) (stored Record, created bool, err error) {
	r.State, r.Requested = Pending, s.now()
	data, err := bus.Marshal(r)
	if err != nil {
		return Record{}, false, err
	}
	for try := 0; ; try++ {
		_, err := s.conn.Create(ctx, bus.BucketEnrollments, bus.Token(r.ID), data)
		if err == nil {
			return r, true, nil
		}
		if !errors.Is(err, bus.ErrExists) {
			return Record{}, false, err
		}
		have, err := s.Get(ctx, r.ID)
		switch {
		case errors.Is(err, ErrUnknown) && try < maxTries: // removed in between
			if err := pause(ctx, try); err != nil {
				return Record{}, false, err
			}
		case err != nil:
			return Record{}, false, err
		case have.Public != r.Public || have.Curve != r.Curve:
			return Record{}, false, &KeyError{ID: r.ID}
		default:
			return have, false, nil
		}
	}
}

// Approve lets a pending peel into the fleet, in the name of an operator.
func (s *Store) Approve(ctx context.Context, id, operator string) (Record, error) {
	return s.decide(ctx, id, operator, approve)
}

// Reject refuses a peel that has no credentials yet, in the name of an operator.
func (s *Store) Reject(ctx context.Context, id, operator string) (Record, error) {
	return s.decide(ctx, id, operator, reject)
}

func (s *Store) decide(ctx context.Context, id, operator string, what step) (Record, error) {
	return s.change(ctx, id, func(r *Record) (bool, error) {
		if err := r.take(what); err != nil {
			return false, err
		}
		r.Decided, r.DecidedBy = s.now(), operator
		return true, nil
	})
}

// MarkIssued notes that the holder of the public key is being given a JWT that ends at expires. It must come before the
// JWT is handed out.
func (s *Store) MarkIssued(ctx context.Context, id, public string, expires time.Time) (Record, error) {
	return s.change(ctx, id, func(r *Record) (bool, error) {
		if r.Public != public {
			return false, &KeyError{ID: id}
		}
		if err := r.take(issue); err != nil {
			return false, err
		}
		r.IssuedAt, r.Expires = s.now(), expires.UTC()
		return true, nil
	})
}

// MarkActive notes that the peel has connected to the bus with its key. From the second time on it only reads.
func (s *Store) MarkActive(ctx context.Context, id, public string) (Record, error) {
	return s.change(ctx, id, func(r *Record) (bool, error) {
		if r.Public != public {
			return false, &KeyError{ID: id}
		}
		if r.State == Active {
			return false, nil
		}
		if err := r.take(activate); err != nil {
			return false, err
		}
		r.ActiveAt = s.now()
		return true, nil
	})
}

// Remove forgets a peel, whatever its state, and returns its last record. A JWT that was issued to it stays valid until
// it expires.
func (s *Store) Remove(ctx context.Context, id string) (Record, error) {
	r, err := s.Get(ctx, id)
	if err != nil && !errors.Is(err, errDamaged) {
		return Record{}, err
	}
	return r, s.conn.Delete(ctx, bus.BucketEnrollments, bus.Token(id))
}

// maxTries bounds the attempts at a record that others keep changing.
const maxTries = 20

// change applies f to the record and stores it by compare-and-set, anew as often as somebody else was faster. f says
// whether there is anything to store.
func (s *Store) change(ctx context.Context, id string, f func(*Record) (bool, error)) (Record, error) {
	for try := 0; ; try++ {
		r, revision, err := s.read(ctx, id)
		if err != nil {
			return Record{}, err
		}
		changed, err := f(&r)
		if err != nil || !changed {
			return r, err
		}
		data, err := bus.Marshal(r)
		if err != nil {
			return Record{}, err
		}
		_, err = s.conn.Update(ctx, bus.BucketEnrollments, bus.Token(id), data, revision)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, bus.ErrConflict) || try >= maxTries {
			return Record{}, err
		}
		if err := pause(ctx, try); err != nil {
			return Record{}, err
		}
	}
}

// pause lets the others finish, and a replica that answered with an older revision catch up.
func pause(ctx context.Context, try int) error {
	d := time.Millisecond << min(try, 6)
	t := time.NewTimer(d + rand.N(d))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// now is in UTC and whole milliseconds, so that a record reads back as it was written.
func (s *Store) now() time.Time { return s.clock().UTC().Truncate(time.Millisecond) }
