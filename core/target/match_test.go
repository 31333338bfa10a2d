package target_test

import (
	"slices"
	"testing"

	"github.com/ptorbus/zester/core/target"
)

func parse(t *testing.T, text string) *target.Target {
	t.Helper()
	got, err := target.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestMatch(t *testing.T) {
	web := target.Peel{
		ID: "web-01",
		Facts: map[string]any{
			"os": "debian", "num_cpus": int64(4), "load": 1.0, "ratio": 0.5, "virtual": "KVM", "empty": "", "nothing": nil, "secure": true,
			"roles": []any{"web", "Cache"}, "ipv4": []any{"127.0.0.1", "10.1.2.3"}, "ipv6": []any{"::1", "fe80::1"},
			"network":   map[string]any{"ipv4": []any{"10.1.2.3"}, "interfaces": map[string]any{"eth0": map[string]any{"mac": "02:00:00:00:00:01"}}},
			"app.name":  "shop",
			"disks":     []any{map[string]any{"name": "sda", "size": int64(100)}, map[string]any{"name": "sdb"}},
			"weird key": "red hat", "model": "Intel(R) Xeon[1]",
		},
		Settings: map[string]any{"tier": "gold", "app": map[string]any{"port": int64(8080)}},
	}
	for text, want := range map[string]bool{
		"web-01": true, "WEB-01": false, "web-*": true, "web-?1": true, "web-[0-9][!2-9]": true, "web-[^1]?": true, "web": false, "?": false,
		"L@db-01,web-01": true, "E@web": true, "E@eb": false, "E@web-(01|02)$": true, "E@WEB": false, "E@(?i)WEB": true,
		"os:debian": true, "os:DEBIAN": true, "os:deb*": true, "os:ebian": false, "OS:debian": false, "virtual:kvm": true,
		"num_cpus:4": true, "load:1.0": true, "ratio:0.5": true, "secure:true": true, "nothing:none": true, "empty:": true, "os:": false,
		"roles:web": true, "roles:cache": true, "roles:we": false, "P@roles:(cache|db)": true, "P@os:ebian": false, "P@os:DEB": true, `P@os:\D+$`: true,
		"network:ipv4:10.*": true, "G@network.ipv4:10.*": true, "network:ipv4": true, "network:ipv5": false, "network:*": true,
		"network:interfaces:eth0": true, "network:interfaces:*:mac:02*": true, "network:*:eth0:mac:02*": true, "*:ipv4:10.*": true,
		"network:interfaces:eth0:mac:02:00:00:00:00:01": true, "ipv6:fe80::1": true, "ipv6:*::1": true,
		"app.name:shop": true, "app:name:shop": true, "disks:name:sdb": true, "disks:size": true, "disks:name": true, "disks:1": false,
		`"weird key:red hat"`: true, `G@weird?key:red*`: false, "model:Intel(R)*": true, "model:*[[]1]": true, "nosuch:*": false,
		"S@10.0.0.0/8": true, "S@10.1.2.3": true, "S@10.1.2.4": false, "S@fe80::/10": true, "S@fe80::1": true, "S@::/0": true, "S@192.168.0.0/16": false,
		"S@10.1.2.0/25": true, "S@10.1.2.128/25": false, "S@0.0.0.0/0": true,
		"I@tier:gold": true, "J@tier:g.ld": true, "J@tier:(GOLD|x)$": true, "J@tier:old": false, "J@app:port:80+": true, "J@os:debian": false, "P@tier:gold": false, "I@app:port:8080": true, "I@os:debian": false, "tier:gold": false,
		"not web-01": false, "web-01 and not os:ubuntu": true, "db-* or os:debian and roles:web": true, "(db-* or os:debian) and roles:db": false,
		"not (db-* or lb-*)": true, "N@web": false,
	} {
		if got := parse(t, text).Match(web); got != want {
			t.Errorf("%s: Match = %v, want %v", text, got, want)
		}
	}
}

func TestAbout(t *testing.T) {
	for _, c := range []struct {
		text                    string
		idOnly, facts, settings bool
		literals                []string
	}{
		{"web-* and not L@web-02,web-01 or db-01", true, false, false, []string{"db-01"}},
		{"not web-01 and L@db-02,db-01 or not not lb-01 or not (web-02 or web-03)", true, false, false, []string{"db-01", "db-02", "lb-01"}},
		{"E@web", true, false, false, nil},
		{"web-01 and os:debian", false, true, false, []string{"web-01"}},
		{"not P@os:x", false, true, false, nil},
		{"S@10.0.0.1", false, true, false, nil},
		{"I@a:b or L@x", false, false, true, []string{"x"}},
		{"J@a:b", false, false, true, nil},
		{"N@web", false, false, false, nil},
	} {
		got := parse(t, c.text)
		if got.IDOnly() != c.idOnly || got.UsesFacts() != c.facts || got.UsesSettings() != c.settings || !slices.Equal(got.Literals(), c.literals) {
			t.Errorf("%s: IDOnly %v, UsesFacts %v, UsesSettings %v, Literals %v", c.text, got.IDOnly(), got.UsesFacts(), got.UsesSettings(), got.Literals())
		}
	}
}

func TestResolveIDs(t *testing.T) {
	got := parse(t, "web-* and not E@web-0[2-9] or L@db-01").ResolveIDs([]string{"web-02", "web-01", "lb-01", "db-01", "web-01"})
	if want := []string{"db-01", "web-01"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestExpand(t *testing.T) {
	groups := map[string]string{
		"web": "web-*", "front": "N@web or lb-*", "eu": "N@front and datacenter:eu",
		"a": "N@b", "b": "x or N@c", "c": "not N@a", "broken": "web-[", "stray": "N@wbe",
	}
	x, err := parse(t, "N@front and not N@web").Expand(groups)
	if err != nil {
		t.Fatal(err)
	}
	if got := x.ResolveIDs([]string{"web-01", "lb-01", "db-01"}); !slices.Equal(got, []string{"lb-01"}) {
		t.Errorf("resolved to %v", got)
	}
	if !x.IDOnly() || x.String() != "N@front and not N@web" || !slices.Equal(x.Groups(), []string{"front", "web"}) {
		t.Errorf("IDOnly %v, String %q, Groups %v", x.IDOnly(), x, x.Groups())
	}
	if x, err = parse(t, "N@eu").Expand(groups); err != nil || !x.UsesFacts() {
		t.Errorf("N@eu: %v, uses facts: %v", err, x.UsesFacts())
	}
	for text, want := range map[string]string{
		"N@a":      `group "a" contains itself (a > b > c > a); break the circle`,
		"N@fornt":  `unknown group "fornt" (did you mean "front"?)`,
		"N@zzzzzz": `unknown group "zzzzzz"; there are a, b, broken, c, eu, front, stray, web`,
		"N@broken": `group "broken": target "web-[": character 5: "[" without "]"; write [[] for the character itself`,
		"N@stray":  `unknown group "wbe" (did you mean "web"?)`,
	} {
		if _, err := parse(t, text).Expand(groups); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
	if _, err := parse(t, "N@a").Expand(nil); err == nil || err.Error() != `unknown group "a"; none are defined` {
		t.Errorf("no groups: %v", err)
	}
	for text, want := range map[string]bool{"N@in": true, "N@out": false, "web-* and not N@out": true, "N@in and db-*": false} {
		x, err := parse(t, text).In(map[string]bool{"in": true, "out": false})
		if err != nil || x.Match(target.Peel{ID: "web-01"}) != want {
			t.Errorf("%s of one who knows its groups: %v, want %v", text, err, want)
		}
	}
	if _, err := parse(t, "N@inn").In(map[string]bool{"in": true}); err == nil || err.Error() != `unknown group "inn" (did you mean "in"?)` {
		t.Errorf("a group not known: %v", err)
	}
}

// Groups that double at each level would take for ever if their size were not counted.
func TestExpandBounded(t *testing.T) {
	groups := map[string]string{"g0": "x"}
	names := "abcdefghijklmnopqrstuvwxyz"
	last := "g0"
	for i := range names {
		groups[names[i:i+1]] = "N@" + last + " or N@" + last
		last = names[i : i+1]
	}
	_, err := parse(t, "N@z").Expand(groups)
	if want := `group "t" brings the target to more than 1048576 terms; name fewer groups in groups`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestResolveUnexpanded(t *testing.T) {
	_, err := parse(t, "web-01 or N@web").Resolve(nil)
	if want := `target "web-01 or N@web": group "web" is not known here; define it or name the peels themselves`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
