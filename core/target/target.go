// Package target reads target expressions and decides which peels they name.
//
//	web-*                      ids by glob: * ? [a-z] [!a-z]
//	L@web-01,web-02            ids by list
//	E@web-(01|02)              ids by regular expression, anchored at the start as in Salt
//	G@os:debian  os:debian     facts by glob; nested by colon or dot, any element of a list
//	P@os:(debian|ubuntu)       facts by regular expression, anchored at the start
//	I@tier:gold                settings by glob
//	J@tier:(gold|silver)       settings by regular expression, anchored at the start
//	S@10.0.0.0/8  S@10.0.0.1   any address of the peel
//	N@group                    a named group, see Expand
//	and  or  not  ( )          whole words in any case; not binds tightest, or loosest
//
// A text with blanks is quoted: os:"red hat". Ids are compared with case, values without it. A path element that is * stands
// for any one key, and the keys of a map count among its values, so that G@network:ipv6 asks whether there is one.
//
// A Target is immutable and safe for concurrent use. Match decides for one peel, Resolve over an index: both always agree.
// Resolve costs a few bitmap operations per term plus the number of distinct values a wildcard has to look at; it never
// visits all peels' facts. The package does no I/O, and does not know where facts, settings or groups come from.
package target

import (
	"slices"
	"strings"
)

// A Target is a parsed expression.
type Target struct {
	root expr
}

// Peel is what Match needs to know about one peel. Nil maps match nothing.
type Peel struct {
	ID       string
	Facts    map[string]any
	Settings map[string]any
}

// String returns the canonical text: Parse of it gives an equal Target.
func (t *Target) String() string {
	var b strings.Builder
	t.root.print(&b, 0)
	return b.String()
}

// Match reports whether the target names the peel. A group that was not expanded names nobody.
func (t *Target) Match(p Peel) bool { return t.root.match(&p) }

// IDOnly reports whether ids alone decide, so that ResolveIDs needs neither facts nor settings.
func (t *Target) IDOnly() bool {
	only := true
	t.root.walk(func(e expr) {
		switch e := e.(type) {
		case *value, *address:
			only = false
		case *group:
			only = only && e.body != nil
		}
	})
	return only
}

// UsesFacts reports whether the answer depends on what peels report about themselves.
func (t *Target) UsesFacts() bool { return t.uses(Facts) }

// UsesSettings reports whether the answer depends on settings.
func (t *Target) UsesSettings() bool { return t.uses(Settings) }

func (t *Target) uses(s Source) bool {
	found := false
	t.root.walk(func(e expr) {
		switch e := e.(type) {
		case *value:
			found = found || e.source == s
		case *address:
			found = found || s == Facts
		}
	})
	return found
}

// Literals returns the ids that the target names in full, sorted: a caller can say which do not exist. Ids that it
// excludes are not among them: nobody needs to be there to be left out.
func (t *Target) Literals() []string {
	ids := literals(t.root, nil)
	slices.Sort(ids)
	return slices.Compact(ids)
}

func literals(e expr, ids []string) []string {
	var kids []expr
	switch e := e.(type) {
	case *idList:
		return append(ids, e.ids...)
	case *idGlob:
		if e.glob.literal {
			ids = append(ids, e.text)
		}
	case *not:
		if twice, ok := e.kid.(*not); ok {
			kids = []expr{twice.kid}
		}
	case *and:
		kids = e.kids
	case *or:
		kids = e.kids
	case *group:
		kids = []expr{e.body}
	}
	for _, k := range kids {
		ids = literals(k, ids)
	}
	return ids
}

// ResolveIDs returns those of ids that the target names, sorted. It is meant for targets that are IDOnly: terms on facts
// or settings match nobody.
func (t *Target) ResolveIDs(ids []string) []string {
	var out []string
	for _, id := range ids {
		if t.Match(Peel{ID: id}) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
