package basket

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metrics"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/server"
)

func TestWarden(t *testing.T) {
	srv := server.StartTest(t)
	core := srv.Core(t)
	greedy, crowded, modest := srv.Peel(t, "a.greedy"), srv.Peel(t, "crowded"), srv.Peel(t, "modest")
	put := func(conn *bus.Conn, id, name string, size int) {
		t.Helper()
		if _, err := conn.Put(t.Context(), bus.BucketBasket, key(id, name), make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		put(greedy, "a.greedy", "big"+strconv.Itoa(i), 60_000)
	}
	for i := range AllowanceEntries { // and one more: markers of deletions count
		put(core, "crowded", "n.x"+strconv.Itoa(i), 0)
	}
	if err := crowded.Delete(t.Context(), bus.BucketBasket, key("crowded", "gone")); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		put(modest, "modest", "fine"+strconv.Itoa(i), 60_000)
	}
	var out bytes.Buffer
	set := metrics.NewSet()
	w := &Warden{Conn: core, Log: slog.New(slog.NewTextHandler(&out, nil)), Metrics: set}
	if n, err := w.clear(t.Context(), 200_000); n != 2 || err != nil {
		t.Errorf("%d peels, %v", n, err)
	}
	left, err := core.GetMany(t.Context(), bus.BucketBasket, ">")
	if err != nil || len(left) != 3 || !strings.HasPrefix(left[0].Key, "modest.") {
		t.Errorf("%d entries left, %v", len(left), err)
	}
	for _, want := range []string{"peel=a.greedy bytes=300", "peel=crowded", "entries=2001"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
	if got := set.GetOrCreateCounter("zester_basket_purges_total").Get(); got != 2 {
		t.Errorf("counted %d", got)
	}
	if n, err := w.clear(t.Context(), 200_000); n != 0 || err != nil {
		t.Errorf("the second time: %d peels, %v", n, err)
	}
}
