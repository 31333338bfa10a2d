package jobs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// Status is what masters know of a peel of the fleet.
type Status struct {
	ID        string    `msgpack:"id"`
	Connected bool      `msgpack:"connected"`
	Since     time.Time `msgpack:"since"` // of the connection; zero without one
	Address   string    `msgpack:"address"`
	Version   string    `msgpack:"version"` // of Zester, as the peel says; empty if it has not
}

// orderPeels names the order in its subject.
const orderPeels = "peels"

// peelsPage is how many peels one answer holds, well below NATS's usual max_payload of 1 MiB.
const peelsPage = 2000

type peelsQuestion struct {
	Target string `msgpack:"target"`
	After  string `msgpack:"after"` // the id that the last page ended with
}

// ListPeels asks the masters for the state of the peels that a target names, sorted by id.
func ListPeels(ctx context.Context, conn *bus.Conn, operator, target string) ([]Status, error) {
	var all []Status
	q := peelsQuestion{Target: target}
	for {
		page, err := bus.Call[[]Status](ctx, conn, bus.Order(operator, orderPeels), q)
		switch {
		case errors.Is(err, bus.ErrNoResponders):
			return nil, &plainError{"no master answers on this bus, and only masters know who is connected: start one", err}
		case errors.Is(err, context.DeadlineExceeded):
			return nil, &plainError{"no master has told in time who is connected: look at the masters' logs", err}
		case err != nil:
			return nil, err
		}
		all = append(all, page...)
		if len(page) < peelsPage {
			return all, nil
		}
		q.After = page[len(page)-1].ID
	}
}

// ServePeels answers ListPeels on a master; list gives the ids a target names, sorted, and
// status one peel's state.
func ServePeels(conn *bus.Conn, list func(target string) ([]string, error), status func(id string) Status) (*bus.Subscription, error) {
	return bus.Serve(conn, bus.Order("*", orderPeels), workQueue, func(_ context.Context, _ string, q peelsQuestion) ([]Status, error) {
		ids, err := list(q.Target)
		if err != nil {
			return nil, err
		}
		from, found := slices.BinarySearchFunc(ids, q.After, strings.Compare)
		if found {
			from++
		}
		page := []Status{}
		for _, id := range ids[from:min(len(ids), from+peelsPage)] {
			page = append(page, status(id))
		}
		return page, nil
	})
}
