package basket

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/ptorbus/zester/core/bus"
)

// What a peel may hold of a basket that runs full. While there is room nobody is held to it.
const (
	// Allowance is in bytes, and grows with the bucket: a 256th of its limit, if that is more.
	Allowance = 1 << 20
	// AllowanceEntries counts removed entries as well, for the hour that their markers stay.
	AllowanceEntries = 2000
)

// Warden keeps one peel from filling the basket for all: once the bucket is half full it removes
// everything of the peels that hold more than their allowance. Any number may run.
type Warden struct {
	Conn    *bus.Conn // a master's
	Log     *slog.Logger
	Metrics *metrics.Set
}

const (
	wardenEvery = 5 * time.Second
	// wardenRest follows a look that found nobody to blame: it reads all of the bucket.
	wardenRest = time.Minute
)

// Run watches over the basket until the context ends. While there is room it costs one small
// request in five seconds.
func (w *Warden) Run(ctx context.Context) {
	wait, troubled := wardenEvery, false
	for sleep(ctx, wait) {
		wait = wardenEvery
		usage, err := w.Conn.Usage(ctx, bus.BucketBasket)
		if err != nil || usage.Limit <= 0 || usage.Bytes < usage.Limit/2 {
			troubled = false
			continue
		}
		purged, err := w.clear(ctx, max(Allowance, usage.Limit/256))
		if err != nil && ctx.Err() == nil {
			w.Log.Warn("the basket runs full and cannot be cleared", "error", err)
		}
		if purged == 0 {
			wait = wardenRest
			if !troubled {
				troubled = true
				w.Log.Warn("the basket is more than half full, and no peel holds more than its allowance: raise the limit of stream KV_basket or share less",
					"bytes", usage.Bytes, "limit", usage.Limit)
			}
		}
	}
}

type holding struct{ bytes, entries int64 }

// clear removes what peels over their allowance hold, and says how many there were.
func (w *Warden) clear(ctx context.Context, allowance int64) (purged int, err error) {
	held := map[string]holding{}
	err = w.Conn.Sizes(ctx, bus.BucketBasket, func(key string, bytes int64) {
		token, _, _ := strings.Cut(key, ".")
		h := held[token]
		held[token] = holding{h.bytes + bytes, h.entries + 1}
	})
	if err != nil {
		return 0, err
	}
	for _, token := range slices.Sorted(maps.Keys(held)) {
		h := held[token]
		if h.bytes <= allowance && h.entries <= AllowanceEntries {
			continue
		}
		if err := w.Conn.Purge(ctx, bus.BucketBasket, token+".>"); err != nil {
			return purged, err
		}
		purged++
		w.Metrics.GetOrCreateCounter("zester_basket_purges_total").Inc()
		w.Log.Error("a peel has filled the basket and everything it shared is removed: find out why, and remove it from the fleet if it is not yours any more",
			"peel", bus.FromToken(token), "bytes", h.bytes, "entries", h.entries, "allowed_bytes", allowance, "allowed_entries", AllowanceEntries)
	}
	return purged, nil
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
