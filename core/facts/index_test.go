package facts_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ptorbus/zester/core/facts"
	"github.com/ptorbus/zester/core/target"
)

// world makes random fleets and targets out of few words, so that they meet.
type world struct{ *rand.Rand }

func (w world) pick(words ...string) string { return words[w.IntN(len(words))] }

func (w world) id() string {
	return w.pick("web", "db", "lb", "we") + w.pick("-", ".") + fmt.Sprintf("%02d", w.IntN(12))
}

func (w world) scalar() any {
	switch w.IntN(8) {
	case 0:
		return int64(w.IntN(3))
	case 1:
		return w.IntN(2) == 0
	case 2:
		return nil
	case 3:
		return float64(w.IntN(3)) / 2
	}
	return w.pick("web", "Web", "db", "debian", "10.0.0.1", "10.1.2.3", "fe80::1", "a:b", "", "x.y", "Größe")
}

func (w world) value(depth int) any {
	switch {
	case depth < 3 && w.IntN(4) == 0:
		return w.facts(depth + 1)
	case depth < 3 && w.IntN(4) == 0:
		list := make([]any, w.IntN(3))
		for i := range list {
			list[i] = w.value(depth + 1)
		}
		return list
	}
	return w.scalar()
}

func (w world) key() string {
	return w.pick("role", "os", "a", "b", "a.b", "a:b", "ipv4", "ipv6", "x", "")
}

func (w world) facts(depth int) map[string]any {
	m := map[string]any{}
	for range w.IntN(6) {
		m[w.key()] = w.value(depth)
	}
	return m
}

func (w world) target(depth int) string {
	if depth < 3 && w.IntN(2) == 0 {
		switch w.IntN(3) {
		case 0:
			return "not (" + w.target(depth+1) + ")"
		case 1:
			return "(" + w.target(depth+1) + " or " + w.target(depth+1) + ")"
		}
		return w.target(depth+1) + " and " + w.target(depth+1)
	}
	key := w.pick("role", "os", "a", "b", "a.b", "a:b", "a:*", "*", "*:b", "x", "ipv4", "a:b:x")
	switch w.IntN(8) {
	case 0:
		return w.pick("*", "web*", "*-0?", "web-0[0-5]", "d*.*1", "w?-*", w.id())
	case 1:
		return "L@" + w.id() + "," + w.id()
	case 2:
		return w.pick("E@web", "E@(db|lb)-0", "E@.*1$", "E@(?i)WEB-0", "E@we[^b]?")
	case 3:
		return w.pick("S@10.0.0.0/8", "S@10.0.0.1", "S@10.1.0.0/17", "S@fe80::/10", "S@0.0.0.0/0", "S@::/0")
	case 4:
		return "P@" + key + ":" + w.pick("web", "w", ".*", "1", "(db|debian)", "[0-9.]+$", "a:b")
	case 5:
		return "I@" + key + ":" + w.pick("web", "*", "1", "d*")
	case 6:
		return "J@" + key + ":" + w.pick("web", "w", ".*", "1", "(db|debian)", "[0-9.]+$", "a:b")
	}
	return "G@" + key + ":" + w.pick("web", "WEB", "w*", "*", "?", "1", "1.0", "0.5", "none", "true", "10.*", "a:b", "b", "x*", "gröẞe", "größe", "[a-d]*")
}

// The index answers as looking at each peel would, whatever was put, changed and removed before.
func TestIndexAgreesWithMatch(t *testing.T) {
	for seed := range uint64(8) {
		w := world{rand.New(rand.NewPCG(seed, 1))}
		ix := facts.NewIndex()
		peels := map[string]*target.Peel{}
		for range 80 {
			for range 10 {
				change(t, w, ix, peels)
			}
			text := w.target(0)
			parsed, err := target.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			got, err := parsed.Resolve(ix)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, id := range slices.Sorted(maps.Keys(peels)) {
				if parsed.Match(*peels[id]) {
					want = append(want, id)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d: %s: the index finds %v, looking at each %v", seed, text, got, want)
			}
			if parsed.IDOnly() && !slices.Equal(parsed.ResolveIDs(ix.IDs()), got) {
				t.Fatalf("seed %d: %s: ResolveIDs finds %v, Resolve %v", seed, text, parsed.ResolveIDs(ix.IDs()), got)
			}
		}
		if got, want := ix.IDs(), slices.Sorted(maps.Keys(peels)); !slices.Equal(got, want) || ix.Len() != len(want) {
			t.Fatalf("seed %d: index has %d peels %v, want %v", seed, ix.Len(), got, want)
		}
		for id := range peels {
			ix.Remove(id)
		}
		if size := ix.Terms(); size != 0 || ix.Len() != 0 {
			t.Fatalf("seed %d: %d terms and %d peels are left of nobody", seed, size, ix.Len())
		}
	}
}

func change(t *testing.T, w world, ix *facts.Index, peels map[string]*target.Peel) {
	t.Helper()
	id := w.id()
	peel := peels[id]
	if peel == nil {
		peel = &target.Peel{ID: id}
	}
	switch w.IntN(10) {
	case 0, 1:
		delete(peels, id)
		ix.Remove(id)
		return
	case 2:
		peel.Settings = w.facts(0)
		if err := ix.PutSettings(id, peel.Settings); err != nil {
			t.Fatal(err)
		}
	default:
		peel.Facts = w.facts(0)
		if err := ix.Put(id, peel.Facts); err != nil {
			t.Fatal(err)
		}
		if got := ix.Facts(id); facts.Hash(got) != facts.Hash(peel.Facts) {
			t.Fatalf("Facts(%s) = %v, want %v", id, got, peel.Facts)
		}
	}
	peels[id] = peel
}

// Values shared by many go from a list to a bitmap and back.
func TestIndexLargePostings(t *testing.T) {
	ix := facts.NewIndex()
	web, err := target.Parse("role:web")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	expect := func() {
		t.Helper()
		got, err := web.Resolve(ix)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
			t.Fatalf("index finds %d peels, want %d", len(got), len(want))
		}
	}
	put := func(i int, role string) {
		t.Helper()
		id := fmt.Sprintf("p%04d", i)
		if err := ix.Put(id, map[string]any{"role": role}); err != nil {
			t.Fatal(err)
		}
		if delete(want, id); role == "web" {
			want[id] = true
		}
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(2000)
	for n, i := range order {
		if put(i, "web"); n%97 == 0 {
			expect()
		}
	}
	for n, i := range order {
		if put(i, "db"); n%97 == 0 || n > 1980 {
			expect()
		}
	}
	for _, i := range order[:300] {
		put(i, "web")
	}
	expect()
}

func TestIndexLimits(t *testing.T) {
	deep := any("x")
	for range 16 {
		deep = map[string]any{"k": deep}
	}
	many := make([]any, 5000)
	for i := range many {
		many[i] = int64(i)
	}
	ix := facts.NewIndex()
	if err := ix.Put("web-01", map[string]any{"os": "debian"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id    string
		facts map[string]any
		want  string
	}{
		{"web-01", map[string]any{"k": deep}, `facts of "web-01": nested deeper than 16`},
		{"web-01", map[string]any{"k": many}, `facts of "web-01": 5000 values; there can be 4096, keys of nested maps among them`},
		{"web-01", map[string]any{"k": strings.Repeat("x", 300000)}, `facts of "web-01": 300008 bytes; a peel can report 262144`},
		{"web-01", map[string]any{strings.Repeat("k", 2000): "x"},
			`facts of "web-01": the keys of "` + strings.Repeat("k", 40) + `"... have 2000 bytes together; use 1024 at most`},
		{"web 01", map[string]any{}, `peel id "web 01": character 4, ' ', is not allowed: use letters, digits, '.', '_' and '-'`},
	} {
		if err := ix.Put(c.id, c.facts); err == nil || err.Error() != c.want {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
	}
	if got := ix.Facts("web-01"); ix.Len() != 1 || got["os"] != "debian" {
		t.Errorf("refused facts have changed the index: %d peels, %v", ix.Len(), got)
	}
}

func TestIndexConcurrent(t *testing.T) {
	ix := facts.NewIndex()
	all, err := target.Parse("role:* and not db-*")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for g := range uint64(4) {
		work.Go(func() {
			w := world{rand.New(rand.NewPCG(g, 9))}
			for range 500 {
				switch id := w.id(); w.IntN(5) {
				case 0:
					ix.Remove(id)
				case 1:
					ids, err := all.Resolve(ix)
					if err != nil || !slices.IsSorted(ids) {
						t.Errorf("Resolve: %v, %v", ids, err)
					}
				case 2:
					ix.Facts(id)
				default:
					if err := ix.Put(id, map[string]any{"role": w.scalar()}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	work.Wait()
}
