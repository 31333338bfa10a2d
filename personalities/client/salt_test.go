package client

import "testing"

func TestSaltFlags(t *testing.T) {
	for _, c := range []struct {
		flags        saltFlags
		target, want string
	}{
		{saltFlags{}, "web-*", "web-*"},
		{saltFlags{Compound: true}, "G@os:debian or L@a,b", "G@os:debian or L@a,b"},
		{saltFlags{Grain: true}, "os:debian", "G@os:debian"},
		{saltFlags{Grain: true}, "G@os:debian", "G@os:debian"},
		{saltFlags{PCRE: true}, "web-.*", "E@web-.*"},
		{saltFlags{GrainPCRE: true}, "os:^d", "P@os:^d"},
		{saltFlags{Pillar: true}, "role:web", "I@role:web"},
		{saltFlags{PillarPCRE: true}, "role:^web", "J@role:^web"},
		{saltFlags{List: true}, "a,b", "L@a,b"},
		{saltFlags{Nodegroup: true}, "front", "N@front"},
		{saltFlags{IPCIDR: true}, "10.0.0.0/8", "S@10.0.0.0/8"},
	} {
		if got, err := c.flags.target(c.target); got != c.want || err != nil {
			t.Errorf("%+v %q: %q (%v), want %q", c.flags, c.target, got, err, c.want)
		}
	}
	if got, err := (&saltFlags{Grain: true, List: true}).target("a"); err == nil {
		t.Errorf("two flags at once are %q", got)
	}
}
