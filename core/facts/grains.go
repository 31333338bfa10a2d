package facts

import (
	"maps"
	"strconv"
	"strings"
)

// Grains returns the facts as a Salt template expects them: the same names and values, with Salt's spelling ("Debian",
// "Linux", "VMware") and the names that only Salt has. Custom facts are as they are. The facts are not changed; groups are shared.
func Grains(facts map[string]any) map[string]any {
	g := maps.Clone(facts)
	if g == nil {
		g = map[string]any{}
	}
	respell(g, "kernel", map[string]string{"linux": "Linux", "darwin": "Darwin", "freebsd": "FreeBSD", "openbsd": "OpenBSD", "netbsd": "NetBSD"})
	respell(g, "virtual", map[string]string{"vmware": "VMware", "virtualbox": "VirtualBox", "hyperv": "HyperV"})
	respell(g, "virtual_subtype", map[string]string{"docker": "Docker", "lxc": "LXC", "podman": "Podman"})
	system := text(g, "os")
	for _, d := range distributions {
		if strings.ToLower(d.os) == system {
			g["os"], g["os_family"] = d.os, d.family
			if strings.ToLower(d.full) == text(g, "osfullname") {
				g["osfullname"] = d.full
			}
			break
		}
	}
	respell(g, "os_family", map[string]string{"debian": "Debian", "redhat": "RedHat", "suse": "Suse", "arch": "Arch", "alpine": "Alpine", "gentoo": "Gentoo"})
	full := text(g, "osfullname")
	if rest, ok := strings.CutPrefix(text(g, "osfinger"), strings.ToLower(full)); ok && full != "" {
		g["osfinger"] = full + rest
	}
	alias(g, "lsb_distrib_id", "osfullname")
	alias(g, "lsb_distrib_codename", "oscodename")
	alias(g, "lsb_distrib_release", "osrelease")
	if release := text(g, "osrelease"); release != "" {
		g["osrelease_info"] = releaseInfo(release)
	}
	if g["osarch"] == nil {
		g["osarch"] = packageArch(text(g, "os_family"), text(g, "arch"), text(g, "cpuarch"))
	}
	if g["osarch"] == "" {
		delete(g, "osarch")
	}
	alias(g, "localhost", "hostname")
	return g
}

func text(facts map[string]any, name string) string {
	s, _ := facts[name].(string)
	return s
}

func respell(g map[string]any, name string, spelling map[string]string) {
	if s, ok := spelling[text(g, name)]; ok {
		g[name] = s
	}
}

func alias(g map[string]any, name, of string) {
	if v, ok := g[of]; ok && g[name] == nil {
		g[name] = v
	}
}

func releaseInfo(release string) []any {
	var info []any
	for part := range strings.SplitSeq(release, ".") {
		if n, err := strconv.ParseInt(part, 10, 64); err == nil {
			info = append(info, n)
		} else {
			info = append(info, part)
		}
	}
	return info
}

// packageArch is the architecture as the distribution's packages spell it.
func packageArch(family, arch, cpuarch string) string {
	if family == "Debian" && arch != "" {
		switch arch {
		case "386":
			return "i386"
		case "arm":
			return "armhf"
		case "ppc64le":
			return "ppc64el"
		}
		return arch
	}
	return cpuarch
}
