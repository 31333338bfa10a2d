package settings

import "github.com/ptorbus/zester/core/target"

// groups are named groups of peels.
type groups map[string]*target.Target

// readGroups reads what N@ terms mean. One that cannot be read is left out, and so is unknown to peels; who names it on a
// master is told why.
func readGroups(texts map[string]string) groups {
	g := groups{}
	for name := range texts {
		if t, err := target.Parse("N@" + name); err == nil {
			if t, err = t.Expand(texts); err == nil {
				g[name] = t
			}
		}
	}
	return g
}

// of says of each group whether a peel with these settings belongs to it.
func (g groups) of(p Peel, data *Map) map[string]bool {
	if len(g) == 0 {
		return nil
	}
	who := target.Peel{ID: p.ID, Facts: p.Facts, Settings: data.Plain()}
	member := make(map[string]bool, len(g))
	for name, t := range g {
		member[name] = t.Match(who)
	}
	return member
}
