package states

import "slices"

// status says what the requisites of a state allow.
type status uint8

const (
	proceed status = iota
	// changed: a watched state changed.
	changed
	fails
	noOnchanges
	noOnfail
)

type verdict struct {
	status  status
	failed  []string       // sls.id of what failed
	watched map[string]any // changes of the watched states
}

// blame names a state that failed, once.
func (v *verdict) blame(c *chunk) {
	if name := c.pos.file.sls + "." + c.id; !slices.Contains(v.failed, name) {
		v.failed = append(v.failed, name)
	}
}

// tally counts the results of one requisite's targets.
type tally struct {
	failed, changed, ok int
	total               int
}

// requisites looks at the results of everything c needs. The rules are Salt's: require and watch fail with any failed
// target and their _any forms only where no target succeeded; onchanges and onchanges_any run for any change of a
// target that did not fail; onfail and onfail_any run for any failure, onfail_all where all failed.
func (r *run) requisites(c *chunk) verdict {
	v := r.verdict(c)
	for _, other := range c.prerequired {
		if res := r.result(other); res.Outcome == Failed {
			v.status = fails
			v.blame(other)
		}
	}
	return v
}

// verdict is what the requisites of c itself say.
func (r *run) verdict(c *chunk) verdict {
	var v verdict
	var noChange, changeSeen, noFailure, failing bool
	for i := range c.reqs {
		req := &c.reqs[i]
		if req.kind == prereq || req.kind == listen {
			continue
		}
		t := r.tally(req, &v)
		switch req.kind {
		case require, watch:
			failing = failing || t.failed > 0
		case requireAny, watchAny:
			failing = failing || t.failed > 0 && t.ok == 0
		case onchanges, onchangesAny:
			noChange = noChange || t.changed == 0
			changeSeen = changeSeen || t.changed > 0
		case onfail, onfailAny:
			noFailure = noFailure || t.failed == 0
		case onfailAll:
			noFailure = noFailure || t.failed < t.total
		}
	}
	switch {
	case failing:
		v.status = fails
	case noFailure && !(changeSeen && len(v.watched) > 0):
		v.status = noOnfail
	case noChange && !changeSeen:
		v.status = noOnchanges
	case len(v.watched) > 0:
		v.status = changed
	}
	return v
}

func (r *run) tally(req *requisite, v *verdict) tally {
	var t tally
	watching := req.kind == watch || req.kind == watchAny
	hard := watching || req.kind == require || req.kind == requireAny
	req.each(func(target *chunk) bool {
		res := r.result(target)
		t.total++
		if res.Outcome == Failed {
			t.failed++
			if hard {
				v.blame(target)
			}
			return true
		}
		if !res.idle {
			t.ok++
		}
		if res.changed() {
			t.changed++
			if watching {
				if v.watched == nil {
					v.watched = map[string]any{}
				}
				v.watched[target.label()] = res.Changes
			}
		}
		return true
	})
	return t
}
