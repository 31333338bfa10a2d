package modules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// packages is the package manager of the host, as one state run sees it: what is installed is read once, and again
// after each change, whoever makes it; the lists of what there is are fetched at most once. It is APT.
type packages struct {
	env *Env

	mu        sync.Mutex
	known     *installed // nil: read it anew
	refreshed bool
}

// installed is what dpkg has.
type installed struct {
	native   string            // the host's own architecture
	changed  time.Time         // when dpkg wrote it down
	versions map[string]string // installed, by name, and by name:arch where that is not the host's own architecture
	removed  map[string]bool   // configuration files are left
	provided map[string]string // virtual name -> package
	held     map[string]bool
}

// lockWait is how long apt waits for another that holds its lock, in seconds.
const lockWait = "300"

// dpkgStatus is the file that dpkg replaces with each change: a command between two pkg states can make one, too.
const dpkgStatus = "/var/lib/dpkg/status"

func (p *packages) usable() error {
	if !hasTool("dpkg-query") || !hasTool("apt-get") {
		return errors.New("this host has no APT: pkg states and functions work on Debian and its relatives")
	}
	return nil
}

// list reads what is installed.
func (p *packages) list(ctx context.Context) (*installed, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var changed time.Time
	if info, err := os.Stat(dpkgStatus); err == nil {
		changed = info.ModTime()
	}
	if p.known != nil && p.known.changed.Equal(changed) {
		return p.known, nil
	}
	if err := p.usable(); err != nil {
		return nil, err
	}
	native, err := p.env.must(ctx, "dpkg", "--print-architecture")
	if err != nil {
		return nil, err
	}
	text, err := p.env.must(ctx, "dpkg-query", "-W", "-f", `${db:Status-Want}\t${db:Status-Status}\t${Package}\t${Architecture}\t${Version}\t${Provides}\n`)
	if err != nil {
		return nil, err
	}
	known := &installed{native: native, changed: changed, versions: map[string]string{}, removed: map[string]bool{}, provided: map[string]string{}, held: map[string]bool{}}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) < 5 {
			continue
		}
		name := f[2]
		if f[3] != native && f[3] != "all" {
			name += ":" + f[3]
		}
		switch f[1] {
		case "config-files":
			known.removed[name] = true
		case "installed", "triggers-pending", "triggers-awaited":
			known.versions[name] = f[4]
			known.held[name] = f[0] == "hold"
			if len(f) > 5 {
				for virtual := range strings.SplitSeq(f[5], ",") {
					virtual, _, _ = strings.Cut(strings.TrimSpace(virtual), " ")
					known.provided[virtual] = name
				}
			}
		}
	}
	p.known = known
	return known, nil
}

// has returns the installed version of a package, also of a virtual one; "" if it is not there.
func (i *installed) has(name string) string {
	name = i.plain(name)
	if version, ok := i.versions[name]; ok {
		return version
	}
	return i.versions[i.provided[name]]
}

// plain is the name of a package as the fields of installed have it: without the host's own architecture.
func (i *installed) plain(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, ":all"), ":"+i.native)
}

// forget makes the next list look again.
func (p *packages) forget() {
	p.mu.Lock()
	p.known = nil
	p.mu.Unlock()
}

// refresh fetches the lists of what there is, unless this run has tried that already or force is set.
func (p *packages) refresh(ctx context.Context, force bool) error {
	p.mu.Lock()
	done := p.refreshed
	p.refreshed = true
	p.mu.Unlock()
	if done && !force {
		return nil
	}
	_, err := p.env.must(ctx, "apt-get", "-q", "-o", "DPkg::Lock::Timeout="+lockWait, "update")
	return err
}

// apt runs apt-get for a change and says what has become of the packages.
func (p *packages) apt(ctx context.Context, words ...string) (map[string]any, error) {
	before, err := p.list(ctx)
	if err != nil {
		return nil, err
	}
	_, err = p.env.whole(ctx, append([]string{
		"apt-get", "-q", "-y", "-o", "DPkg::Options::=--force-confold", "-o", "DPkg::Options::=--force-confdef", "-o", "DPkg::Lock::Timeout=" + lockWait,
	}, words...)...)
	p.forget()
	after, listErr := p.list(ctx)
	if listErr != nil {
		return nil, cmp.Or(err, listErr)
	}
	return before.difference(after), err
}

// difference tells old and new versions of what is not the same.
func (i *installed) difference(after *installed) map[string]any {
	changes := map[string]any{}
	for name, version := range i.versions {
		if now := after.versions[name]; now != version {
			changes[name] = was(version, now)
		}
	}
	for name, version := range after.versions {
		if i.versions[name] == "" {
			changes[name] = was("", version)
		}
	}
	for name := range i.removed {
		if !after.removed[name] && after.versions[name] == "" {
			changes[name] = was("configuration files", "")
		}
	}
	return changes
}

// candidates are the versions that APT would install by itself, "" where there is none.
func (p *packages) candidates(ctx context.Context, names []string) (map[string]string, error) {
	out := map[string]string{}
	if len(names) == 0 {
		return out, nil
	}
	text, err := p.env.must(ctx, append([]string{"apt-cache", "policy", "--"}, names...)...)
	if err != nil {
		return nil, err
	}
	name := ""
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, " ") {
			name = strings.TrimSuffix(strings.TrimSpace(line), ":")
		} else if version, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate:"); ok {
			if version = strings.TrimSpace(version); version != "(none)" {
				out[name] = version
			}
		}
	}
	return out, nil
}

// available are the versions of a package that there are, as apt-cache madison lists them: the best first.
func (p *packages) available(ctx context.Context, name string) ([]string, error) {
	text, err := p.env.must(ctx, "apt-cache", "madison", "--", name)
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(text) {
		if f := strings.Split(line, "|"); len(f) == 3 {
			out = append(out, strings.TrimSpace(f[1]))
		}
	}
	return out, nil
}

// compare tells how two versions stand: lt, le, eq, ne, ge, gt.
func (p *packages) compare(ctx context.Context, a, relation, b string) (bool, error) {
	if a == b {
		return slices.Contains([]string{"le", "eq", "ge"}, relation), nil
	}
	out, err := p.env.tool(ctx, "", "dpkg", "--compare-versions", a, relation, b)
	if err == nil && out.code > 1 {
		err = fmt.Errorf("dpkg cannot compare the versions %q and %q: %s", a, b, lastLines(out.stderr))
	}
	return out.code == 0, err
}

// upgradable are the packages that an upgrade would change, with the new versions.
func (p *packages) upgradable(ctx context.Context, dist bool) (map[string]string, error) {
	word := "upgrade"
	if dist {
		word = "dist-upgrade"
	}
	text, err := p.env.must(ctx, "apt-get", "--just-print", word)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(text) {
		// Inst name [old] (new source [arch])
		if f := strings.Fields(line); len(f) > 2 && f[0] == "Inst" {
			if _, rest, ok := strings.Cut(line, "("); ok {
				out[f[1]] = strings.Fields(rest)[0]
			}
		}
	}
	return out, nil
}

// all is every installed package and its version.
func (i *installed) all() map[string]any {
	out := make(map[string]any, len(i.versions))
	for name, version := range i.versions {
		out[name] = version
	}
	return out
}
