package enrollment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/target"
)

// ServeOrders answers operators until ctx ends. Every master does; each order goes to one of them. The operator's name
// is the one that NATS has checked.
func ServeOrders(ctx context.Context, conn *bus.Conn, store *Store, directory *Directory, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	d := desk{store: store, directory: directory, log: log}
	for name, f := range map[string]func(context.Context, string, order) (orderReply, error){
		orderList: d.list, orderShow: d.list, orderApprove: d.approve, orderReject: d.reject, orderRemove: d.remove,
	} {
		sub, err := bus.Serve(conn, bus.Order("*", name), "enrollment", f)
		if err != nil {
			return err
		}
		defer sub.Stop()
	}
	<-ctx.Done()
	return nil
}

// desk is a master's end of the orders.
type desk struct {
	store     *Store
	directory *Directory
	log       *slog.Logger
}

// page is how many records one answer holds: with their facts they stay below NATS's usual max_payload of 1 MiB.
const page = 300

func (d desk) approve(ctx context.Context, operator string, q order) (orderReply, error) {
	return d.decide(ctx, q, Pending, func(id string) Outcome {
		r, err := d.store.Approve(ctx, id, operator)
		return d.done(operator, "approved", r, err)
	})
}

func (d desk) reject(ctx context.Context, operator string, q order) (orderReply, error) {
	return d.decide(ctx, q, Pending, func(id string) Outcome {
		r, err := d.store.Reject(ctx, id, operator)
		return d.done(operator, "rejected", r, err)
	})
}

func (d desk) remove(ctx context.Context, operator string, q order) (orderReply, error) {
	if q.All {
		return orderReply{}, errors.New("removing takes ids or patterns, not all peels")
	}
	return d.decide(ctx, q, Rejected, func(id string) Outcome {
		r, err := d.store.Remove(ctx, id)
		return d.removed(operator, id, r, err)
	})
}

func (d desk) done(operator, what string, r Record, err error) Outcome {
	if err != nil {
		return Outcome{Error: err.Error()}
	}
	d.log.Info("a peel is "+what, "peel", r.ID, "operator", operator, "public", r.Public, "fingerprint", r.Fingerprint())
	return Outcome{State: r.State}
}

func (d desk) removed(operator, id string, r Record, err error) Outcome {
	if err != nil {
		return Outcome{Error: err.Error()}
	}
	d.log.Info("a peel is removed", "peel", id, "operator", operator, "public", r.Public, "state", r.State)
	if r.State != Issued && r.State != Active {
		return Outcome{}
	}
	until := "for ever"
	if !r.Expires.IsZero() {
		until = "until " + r.Expires.Format(time.RFC3339)
	}
	return Outcome{Note: fmt.Sprintf("the credentials it has stay valid %s: revoke user %s in the NATS account to cut it off now", until, r.Public)}
}

// choice is the peels an order is about, in order, and what is wrong with it.
type choice struct {
	ids       []string
	unknown   map[string]string // what is wrong with some of the ids
	unmatched []Outcome         // patterns that match nothing, on the first page
}

// choose takes the patterns apart. Patterns match the records that pick accepts; an id that is written out stands for
// itself, so that what cannot be done to it is reported.
func (d desk) choose(ctx context.Context, q order, kind string, pick func(Record) bool) (choice, error) {
	if len(q.Patterns) == 0 && !q.All {
		return choice{}, errors.New("name peels, a pattern, or --all")
	}
	c := choice{unknown: map[string]string{}}
	candidates := d.directory.ids(pick)
	if q.All {
		c.ids = candidates
	}
	var named []string // ids that the directory does not know, yet or because their records are damaged
	for _, p := range q.Patterns {
		if bus.CheckPeelID(p) == nil {
			if c.ids = append(c.ids, p); d.directory.record(p).State == "" {
				named = append(named, p)
			}
			continue
		}
		t, err := target.Parse(p)
		switch {
		case err != nil:
			return choice{}, err
		case !t.IDOnly():
			return choice{}, fmt.Errorf("pattern %q: peels that enroll are matched by id: use ids, globs, E@ or L@", p)
		}
		ids := t.ResolveIDs(candidates)
		if len(ids) == 0 && q.After == "" {
			c.unmatched = append(c.unmatched, Outcome{ID: p, Error: fmt.Sprintf("no %s matches %q", kind, p)})
		}
		c.ids = append(c.ids, ids...)
	}
	for part := range slices.Chunk(named, page) {
		if err := d.known(ctx, part, c.unknown); err != nil {
			return choice{}, err
		}
	}
	slices.Sort(c.ids)
	c.ids = slices.Compact(c.ids)
	return c, nil
}

// known notes an error for each id that has no record, with the nearest one that has.
func (d desk) known(ctx context.Context, ids []string, unknown map[string]string) error {
	entries, err := d.store.entries(ctx, ids)
	if err != nil {
		return err
	}
	found := map[string]bool{}
	for _, e := range entries {
		found[bus.FromToken(e.Key)] = true
	}
	var all []string
	for _, id := range ids {
		if found[id] {
			continue
		}
		if all == nil {
			all = d.directory.ids(func(Record) bool { return true })
		}
		unknown[id] = fmt.Sprintf("no peel %q has asked to enroll%s", id, config.DidYouMean(id, all))
	}
	return nil
}

// turn gives the page of ids that comes after the last one, and where it ends if there is more.
func turn(ids []string, after string) (these []string, more string) {
	if after != "" {
		i, found := slices.BinarySearch(ids, after)
		if found {
			i++
		}
		ids = ids[i:]
	}
	if len(ids) <= page {
		return ids, ""
	}
	return ids[:page], ids[page-1]
}

func (d desk) list(ctx context.Context, _ string, q order) (orderReply, error) {
	c, err := d.choose(ctx, q, "enrollment", func(Record) bool { return true })
	if err != nil {
		return orderReply{}, err
	}
	for _, o := range c.unmatched {
		return orderReply{}, errors.New(o.Error)
	}
	for _, id := range c.ids {
		if text := c.unknown[id]; text != "" {
			return orderReply{}, errors.New(text)
		}
	}
	ids, more := turn(c.ids, q.After)
	records, err := d.store.List(ctx, ids...)
	if err != nil {
		return orderReply{}, err
	}
	return orderReply{Records: records, More: more}, nil
}

// decide does f to the chosen peels, a page of them, several at a time. Patterns match the records in state pending,
// and in the other state given.
func (d desk) decide(ctx context.Context, q order, also State, f func(id string) Outcome) (orderReply, error) {
	kind := "pending peel"
	if also != Pending {
		kind = fmt.Sprintf("pending or %s peel", also)
	}
	c, err := d.choose(ctx, q, kind, func(r Record) bool { return r.State == Pending || r.State == also })
	if err != nil {
		return orderReply{}, err
	}
	ids, more := turn(c.ids, q.After)
	outcomes := make([]Outcome, len(ids))
	var workers sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i, id := range ids {
		slots <- struct{}{}
		workers.Go(func() {
			defer func() { <-slots }()
			if text := c.unknown[id]; text != "" {
				outcomes[i].Error = text
			} else {
				outcomes[i] = f(id)
			}
			outcomes[i].ID = id
		})
	}
	workers.Wait()
	return orderReply{Outcomes: append(c.unmatched, outcomes...), More: more}, nil
}
