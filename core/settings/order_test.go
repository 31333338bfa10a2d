package settings

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/document"
	"github.com/ptorbus/zester/core/render"
)

func parse(t testing.TB, text string) *Map {
	t.Helper()
	m, err := Parse("test.zy", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestOrder: the keys of the first file come first, those that later files add follow, as in Salt's pillar.
func TestOrder(t *testing.T) {
	a := newAccount(t)
	for name, c := range map[string]struct {
		tree map[string]string
		want string
	}{
		"of a file":        {map[string]string{"top.zy": "'*': [a]", "a.zy": "z: 1\na: {y: 1, b: [{x: 1, c: 2}]}\nm: 3\n"}, `{"z":1,"a":{"y":1,"b":[{"x":1,"c":2}]},"m":3}`},
		"of the top file":  {map[string]string{"top.zy": "'*': [b]\nweb-*: [a]", "a.zy": "y: 1\nu: {n: 1, z: 2}", "b.zy": "u: {z: 1, b: 1}\nb: 1"}, `{"u":{"z":2,"b":1,"n":1},"b":1,"y":1}`},
		"includes first":   {map[string]string{"top.zy": "'*': [a]", "a.zy": "z: 1\ninclude: [c, b]\na: 1", "b.zy": "a: 0\nb: 1", "c.zy": "y: 1\nc: 1"}, `{"y":1,"c":1,"a":1,"b":1,"z":1}`},
		"replaced values":  {map[string]string{"top.zy": "'*': [a, b]", "a.zy": "z: 1\ny: {k: 1}\nx: 1", "b.zy": "x: 2\ny: text\nz: {n: 1}"}, `{"z":{"n":1},"y":"text","x":2}`},
		"of a template":    {map[string]string{"top.zy": "'*': [a]", "a.zy": "{% for n in ['z', 'a', 'm'] %}{{ n }}: {{ loop.index }}\n{% endfor %}"}, `{"z":1,"a":2,"m":3}`},
		"include defaults": {map[string]string{"top.zy": "'*': [a]", "a.zy": "include:\n  - b: {key: 'k:l', defaults: {d: {z: 1, a: 2}}}", "b.zy": "{% for k in d %}{{ k }}: {{ d[k] }}\n{% endfor %}"}, `{"k":{"l":{"z":1,"a":2}}}`},
		"merged in":        {map[string]string{"top.zy": "'*': [a]", "a.zy": "b: &b {z: 1, y: 2}\nc: {x: 0, y: 3, <<: *b, a: 1}\n"}, `{"b":{"z":1,"y":2},"c":{"z":1,"x":0,"y":3,"a":1}}`},
		"several merged":   {map[string]string{"top.zy": "'*': [a]", "a.zy": "b: &b {z: 1}\nc: &c {y: 2, x: 2}\nd: {x: 0, <<: [*b, *c]}\n"}, `{"b":{"z":1},"c":{"y":2,"x":2},"d":{"y":2,"z":1,"x":0}}`},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := NewCompiler(CompilerOptions{Dir: writeTree(t, t.TempDir(), c.tree), Account: a}).Compile(t.Context(), web)
			if err != nil {
				t.Fatal(err)
			}
			if got := jsonText(t, data); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestOrderedPath: the order goes from the file through bucket, peel and cache to a template, and a change of it alone is a change.
func TestOrderedPath(t *testing.T) {
	const first, second = "users:\n  zoe: {uid: 2, home: /z}\n  adam: {uid: 1}\n  mia:\nlist: [{b: 1, a: [{d: 1, c: 2}]}]\nempty: [[], {}]\n", "a: 1\n"
	f := newFleet(t, map[string]string{"top.zy": "'*': [b, a]", "b.zy": first, "a.zy": second})
	f.enroll("p")
	conn, cache := f.srv.Peel(t, "p"), filepath.Join(t.TempDir(), "settings.sealed")
	f.report(conn, "p", map[string]any{})
	s := f.follow(f.store(conn, "p", cache))
	const want = `{"users":{"zoe":{"uid":2,"home":"/z"},"adam":{"uid":1},"mia":null},"list":[{"b":1,"a":[{"d":1,"c":2}]}],"empty":[[],{}],"a":1}`
	waitFor(t, "the settings in order", func() bool { return jsonText(t, s.Get()) == want })
	if got := jsonText(t, f.store(nil, "p", cache).Get()); got != want {
		t.Errorf("from the cache: %s", got)
	}
	const template = "{% for u, data in pillar['users'].items() %}{{ u }}={{ data }} {% endfor %}{{ pillar.list }}" +
		"{% do pillar.users.zoe.update({'uid': 9}) %}{% do pillar.list.append(1) %}"
	for range 2 {
		text, err := render.New(render.Options{}).Render(t.Context(), "t", []byte(template), map[string]any{"pillar": s.Get()})
		if want := "zoe={'uid': 2, 'home': '/z'} adam={'uid': 1} mia=None [{'b': 1, 'a': [{'d': 1, 'c': 2}]}]"; err != nil || text != want {
			t.Errorf("rendered %s (%v)\nwant     %s", text, err, want)
		}
	}
	writeTree(t, f.dir, map[string]string{"b.zy": "users: {adam: {uid: 1}, mia: , zoe: {home: /z, uid: 2}}\nlist: [{b: 1, a: [{d: 1, c: 2}]}]\nempty: [[], {}]\n"})
	const turned = `{"users":{"adam":{"uid":1},"mia":null,"zoe":{"home":"/z","uid":2}},"list":[{"b":1,"a":[{"d":1,"c":2}]}],"empty":[[],{}],"a":1}`
	waitFor(t, "the new order", func() bool { return jsonText(t, s.Get()) == turned })
}

// TestNesting: what compiles can be opened again, however deep it is.
func TestNesting(t *testing.T) {
	f := newFleet(t, map[string]string{"top.zy": "'*': [a]"})
	deep := func(n int) *Map {
		m := NewMap(0)
		for range n {
			outer := NewMap(1)
			outer.Set("a", m)
			m = outer
		}
		return m
	}
	identity := f.srv.PeelIdentity(t, "p")
	sealed, err := seal(f.srv.Account, "p", identity.Curve(), 1, parcel{data: deep(document.MaxNested)})
	if err != nil {
		t.Fatal(err)
	}
	value, err := bus.Marshal(envelope{Sealed: sealed, Serial: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, got, err := open(identity, f.srv.Account.Public(), "p", value); err != nil || !reflect.DeepEqual(got.data.Plain(), deep(document.MaxNested).Plain()) {
		t.Errorf("%d deep: %v", document.MaxNested, err)
	}
	if _, err := seal(f.srv.Account, "p", identity.Curve(), 1, parcel{data: deep(document.MaxNested + 1)}); err == nil || err.Error() != "the settings nest deeper than 50 once they are merged" {
		t.Errorf("deeper: %v", err)
	}
}

func TestUnpackRefuses(t *testing.T) {
	for name, v := range map[string]any{
		"no kind": []any{}, "other kind": []any{"x"}, "half a pair": []any{true, "k"}, "key": []any{true, int64(1), "v"}, "within": []any{false, []any{}},
	} {
		if got, err := unpack(v); err != errPacked || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// plainMerge is what merging means where there is no order.
func plainMerge(base, over map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range base {
		out[k] = v
	}
	for k, v := range over {
		a, isMap := out[k].(map[string]any)
		if b, both := v.(map[string]any); isMap && both {
			v = plainMerge(a, b)
		}
		out[k] = v
	}
	return out
}

// FuzzOrder: with the order taken away, reading, merging and packing give what they give on plain data; with it, packing changes
// nothing, and merging keeps the base's keys in front.
func FuzzOrder(f *testing.F) {
	for _, s := range [][2]string{
		{"", ""}, {"z: 1\na: {b: 1}", "a: {c: 2, b: [1]}\ny: 1"}, {"a: {x: 1}", "a: 1"}, {"a: [{b: 1}, [2]]", "b: []"}, {"x: &x {z: 1}\ny: {<<: *x, a: 2}", "y: {}"},
		{"a: ~", "a: {}"}, {"a: 1.5\nb: yes\n", "'': {'': ''}"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		base, err := Parse("a.zy", []byte(one))
		if err != nil {
			return
		}
		over, err := Parse("b.zy", []byte(two))
		if err != nil {
			return
		}
		merged := Merge(base, over)
		if want := plainMerge(base.Plain(), over.Plain()); !same(merged.Plain(), want) {
			t.Fatalf("%v, want %v", merged.Plain(), want)
		}
		keys := func(m *Map) (all []string) {
			for k := range m.All() {
				all = append(all, k)
			}
			return all
		}
		if first, all := keys(base), keys(merged); !slices.Equal(all[:len(first)], first) {
			t.Fatalf("%q, want %q first", all, first)
		}
		packed, err := pack(merged, 0)
		if err != nil {
			t.Fatal(err)
		}
		data, err := bus.Marshal(content{Data: packed})
		if err != nil {
			t.Fatal(err)
		}
		var c content
		if err := bus.Unmarshal(data, &c); err != nil {
			t.Fatal(err)
		}
		back, err := unpack(bus.Plain(c.Data))
		if err != nil || digest(back.(*Map)) != digest(merged) {
			t.Fatalf("%v: %v, want %v", err, back, merged)
		}
	})
}

// same compares by text: a NaN is itself.
func same(a, b map[string]any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return reflect.DeepEqual(a, b) || errX == nil && errY == nil && string(x) == string(y)
}
