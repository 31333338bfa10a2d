package enrollment

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/ptorbus/zester/core/bus"
)

// Directory is all records in memory, kept up to date by one watch on the bucket. A change is in it a moment after it
// was made, on whichever master. It keeps no facts.
type Directory struct {
	log *slog.Logger

	mu       sync.RWMutex
	records  map[string]Record   // by id
	byPublic map[string][]string // ids by public key: more than one only if somebody enrolled a key twice
	pending  map[string]int      // by address, "" for all
	waiting  map[string]map[chan struct{}]struct{}
	watchers map[int]func(id string, member bool)
	next     int
}

// Follow makes a Directory and keeps it up to date until ctx ends. It returns when all current records are in it. CORE
// only.
func Follow(ctx context.Context, conn *bus.Conn, log *slog.Logger) (*Directory, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	d := &Directory{
		log: log, records: map[string]Record{}, byPublic: map[string][]string{}, pending: map[string]int{},
		waiting: map[string]map[chan struct{}]struct{}{}, watchers: map[int]func(string, bool){},
	}
	w, err := conn.Watch(ctx, bus.BucketEnrollments, ">")
	if err != nil {
		return nil, err
	}
	for e := range w.Entries() {
		if e.Key == "" {
			go func() {
				for e := range w.Entries() {
					d.apply(e)
				}
			}()
			return d, nil
		}
		d.apply(e)
	}
	return nil, fmt.Errorf("enrollments: %w", context.Cause(ctx))
}

func (d *Directory) apply(e bus.Entry) {
	if e.Key == "" {
		return
	}
	id := bus.FromToken(e.Key)
	var now Record
	if !e.Deleted {
		r, err := decodeRecord(e)
		if err != nil {
			d.log.Error("an enrollment cannot be read and does not count", "error", err)
		} else {
			now = r
			now.Facts = nil
		}
	}
	d.mu.Lock()
	was := d.records[id]
	d.replace(id, was, now)
	for ch := range d.waiting[id] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	var tell []func(string, bool)
	if was.State.Member() != now.State.Member() || was.Curve != now.Curve && now.State.Member() {
		for _, f := range d.watchers {
			tell = append(tell, f)
		}
	}
	d.mu.Unlock()
	for _, f := range tell {
		f(id, now.State.Member())
	}
}

func (d *Directory) replace(id string, was, now Record) {
	if was.State == Pending {
		d.count(was.Address, -1)
	}
	if now.State == Pending {
		d.count(now.Address, +1)
	}
	if was.Public != now.Public {
		d.unlink(was.Public, id)
		if now.Public != "" {
			d.byPublic[now.Public] = append(d.byPublic[now.Public], id)
		}
	}
	if now.State == "" {
		delete(d.records, id)
	} else {
		d.records[id] = now
	}
}

func (d *Directory) count(address string, by int) {
	for _, a := range []string{"", network(address)} {
		if d.pending[a] += by; d.pending[a] <= 0 {
			delete(d.pending, a)
		}
	}
}

func (d *Directory) unlink(public, id string) {
	ids := slices.DeleteFunc(d.byPublic[public], func(other string) bool { return other == id })
	if len(ids) == 0 {
		delete(d.byPublic, public)
	} else {
		d.byPublic[public] = ids
	}
}

// Curve is a member's curve key, to which data for it is sealed. ok is false for everybody else.
func (d *Directory) Curve(id string) (curve string, ok bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r := d.records[id]
	if !r.State.Member() {
		return "", false
	}
	return r.Curve, true
}

// Member says whether a peel belongs to the fleet.
func (d *Directory) Member(id string) bool {
	_, ok := d.Curve(id)
	return ok
}

// Members is the ids of the fleet, sorted.
func (d *Directory) Members() []string {
	return d.ids(func(r Record) bool { return r.State.Member() })
}

// Pending is how many records wait for an operator.
func (d *Directory) Pending() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.pending[""]
}

// ByPublic is the member that has a public user key, as the server's connection events name it.
func (d *Directory) ByPublic(public string) (id string, ok bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, candidate := range d.byPublic[public] {
		if d.records[candidate].State.Member() && (!ok || d.records[candidate].Requested.Before(d.records[id].Requested)) {
			id, ok = candidate, true
		}
	}
	return id, ok
}

// OnChange calls f, which must not block, whenever a peel becomes a member, ceases to be one, or has another curve key.
// The returned function ends that.
func (d *Directory) OnChange(f func(id string, member bool)) (stop func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.next
	d.next++
	d.watchers[n] = f
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.watchers, n)
	}
}

// record is the peel's record without its facts; its State is empty if there is none.
func (d *Directory) record(id string) Record {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.records[id]
}

// ids is the ids of the records that f picks, sorted.
func (d *Directory) ids(f func(Record) bool) []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	ids := []string{}
	for id, r := range d.records {
		if f(r) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// holder is another id than the given one under which a public key is on record, in whatever state.
func (d *Directory) holder(public, notID string) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, id := range d.byPublic[public] {
		if id != notID {
			return id
		}
	}
	return ""
}

// undecided is how many records are pending, in all and from one address.
func (d *Directory) undecided(address string) (all, from int) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.pending[""], d.pending[network(address)]
}

// wait gives a channel that receives whenever the peel's record changes.
func (d *Directory) wait(id string) (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting[id] == nil {
		d.waiting[id] = map[chan struct{}]struct{}{}
	}
	d.waiting[id][ch] = struct{}{}
	return ch, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.waiting[id], ch)
		if len(d.waiting[id]) == 0 {
			delete(d.waiting, id)
		}
	}
}

// Issued says whether a peel has its credentials and has not been seen with them.
func (d *Directory) Issued(id string) bool { return d.record(id).State == Issued }
