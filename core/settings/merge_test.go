package settings

import (
	"context"
	"math"
	"reflect"
	"sync"
	"testing"
)

func TestMerge(t *testing.T) {
	type m = map[string]any
	type l = []any
	for name, c := range map[string]struct{ base, over, want m }{
		"nothing":         {nil, nil, m{}},
		"into nothing":    {nil, m{"a": 1}, m{"a": 1}},
		"nothing over":    {m{"a": 1}, nil, m{"a": 1}},
		"disjoint":        {m{"a": 1}, m{"b": 2}, m{"a": 1, "b": 2}},
		"scalar":          {m{"a": 1}, m{"a": 2}, m{"a": 2}},
		"null":            {m{"a": m{"b": 1}}, m{"a": nil}, m{"a": nil}},
		"deep":            {m{"a": m{"b": m{"c": 1, "d": 2}}}, m{"a": m{"b": m{"c": 3}}}, m{"a": m{"b": m{"c": 3, "d": 2}}}},
		"empty mapping":   {m{"a": m{"b": 1}}, m{"a": m{}}, m{"a": m{"b": 1}}},
		"lists replaced":  {m{"a": l{1, 2}}, m{"a": l{3}}, m{"a": l{3}}},
		"mapping to list": {m{"a": m{"b": 1}}, m{"a": l{3}}, m{"a": l{3}}},
		"list to mapping": {m{"a": l{3}}, m{"a": m{"b": 1}}, m{"a": m{"b": 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			base, over := FromPlain(c.base), FromPlain(c.over)
			if got := Merge(base, over).Plain(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if digest(base) != digest(FromPlain(c.base)) || digest(over) != digest(FromPlain(c.over)) {
				t.Error("an argument was changed")
			}
		})
	}
}

func TestFingerprint(t *testing.T) {
	type m = map[string]any
	seen := map[string]string{}
	for name, print := range map[string][]byte{
		"empty":      fingerprint([]byte("k"), "p", "c", 1, digest(FromPlain(m{}))),
		"other key":  fingerprint([]byte("l"), "p", "c", 1, digest(FromPlain(m{}))),
		"other peel": fingerprint([]byte("k"), "q", "c", 1, digest(FromPlain(m{}))),
		"other id":   fingerprint([]byte("k"), "pc", "", 1, digest(FromPlain(m{}))),
		"serial":     fingerprint([]byte("k"), "p", "c", 2, digest(FromPlain(m{}))),
		"int":        fingerprint([]byte("k"), "p", "c", 1, digest(FromPlain(m{"a": int64(1)}))),
		"float":      fingerprint([]byte("k"), "p", "c", 1, digest(FromPlain(m{"a": math.Float64frombits(1)}))),
		"text":       fingerprint([]byte("k"), "p", "c", 1, digest(FromPlain(m{"a": "1"}))),
		"bytes":      fingerprint([]byte("k"), "p", "c", 1, digest(FromPlain(m{"a": []byte("1")}))),
		"true":       fingerprint([]byte("k"), "p", "c", 1, digest(FromPlain(m{"a": true}))),
		"null":       fingerprint([]byte("k"), "p", "c", 1, digest(FromPlain(m{"a": nil}))),
		"list":       fingerprint([]byte("k"), "p", "c", 1, digest(FromPlain(m{"a": []any{}}))),
		"map":        fingerprint([]byte("k"), "p", "c", 1, digest(FromPlain(m{"a": m{}}))),
		"two":        fingerprint([]byte("k"), "p", "c", 1, digest(FromPlain(m{"a": m{}, "b": m{}}))),
		"nested":     fingerprint([]byte("k"), "p", "c", 1, digest(FromPlain(m{"a": m{"b": m{}}}))),
	} {
		if other, twice := seen[string(print)]; twice {
			t.Errorf("%s and %s are the same", name, other)
		}
		seen[string(print)] = name
	}
	if digest(parse(t, "a: 1\nb: 2")) == digest(parse(t, "b: 2\na: 1")) {
		t.Error("the order of the keys, which templates see, does not count")
	}
}

func TestQueue(t *testing.T) {
	q := newQueue()
	for _, id := range []string{"a", "b", "a"} {
		q.add(id)
	}
	next := func() string {
		id, _ := q.next()
		return id
	}
	if a, b, none := next(), next(), next(); a != "a" || b != "b" || none != "" {
		t.Errorf("took %q, %q, %q", a, b, none)
	}
	q.add("a") // at work: comes again when that is done
	if id := next(); id != "" {
		t.Errorf("%q was given to two", id)
	}
	q.done("b")
	q.done("a")
	if id := next(); id != "a" {
		t.Errorf("what came again is %q", id)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if id, ok := q.take(ctx); !ok || id != "c" {
			t.Errorf("took %q, %v", id, ok)
		}
		if id, ok := q.take(ctx); ok {
			t.Errorf("took %q after the end", id)
		}
	})
	q.add("c")
	waitFor(t, "the taker", func() bool { q.mu.Lock(); defer q.mu.Unlock(); return len(q.order) == 0 })
	cancel()
	all.Wait()
}
