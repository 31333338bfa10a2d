package facts

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v4/host"
	"golang.org/x/sys/unix"
)

// distribution is a system under Salt's names. Facts hold them in lower case, grains as they are.
type distribution struct {
	id     string // in os-release
	os     string
	family string
	full   string // osfullname, of which osfinger is made
}

var distributions = []distribution{
	{"debian", "Debian", "Debian", "Debian"},
	{"ubuntu", "Ubuntu", "Debian", "Ubuntu"},
	{"raspbian", "Raspbian", "Debian", "Raspbian"},
	{"linuxmint", "Mint", "Debian", "Linux Mint"},
	{"kali", "Kali", "Debian", "Kali"},
	{"pop", "Pop", "Debian", "Pop"},
	{"devuan", "Devuan", "Debian", "Devuan"},
	{"rhel", "RedHat", "RedHat", "Red Hat Enterprise Linux"},
	{"centos", "CentOS", "RedHat", "CentOS Linux"},
	{"centos stream", "CentOS Stream", "RedHat", "CentOS Stream"},
	{"rocky", "Rocky", "RedHat", "Rocky Linux"},
	{"almalinux", "AlmaLinux", "RedHat", "AlmaLinux"},
	{"fedora", "Fedora", "RedHat", "Fedora Linux"},
	{"ol", "OracleLinux", "RedHat", "Oracle Linux Server"},
	{"amzn", "Amazon", "RedHat", "Amazon Linux"},
	{"cloudlinux", "CloudLinux", "RedHat", "CloudLinux"},
	{"scientific", "ScientificLinux", "RedHat", "Scientific Linux"},
	{"openEuler", "openEuler", "RedHat", "openEuler"},
	{"sles", "SUSE", "Suse", "SLES"},
	{"opensuse-leap", "SUSE", "Suse", "Leap"},
	{"opensuse-tumbleweed", "SUSE", "Suse", "Tumbleweed"},
	{"arch", "Arch", "Arch", "Arch Linux"},
	{"archarm", "Arch ARM", "Arch", "Arch Linux ARM"},
	{"manjaro", "Manjaro", "Arch", "Manjaro"},
	{"alpine", "Alpine", "Alpine", "Alpine"},
	{"gentoo", "Gentoo", "Gentoo", "Gentoo"},
	{"void", "Void", "Void", "Void"},
	{"nixos", "NixOS", "NixOS", "NixOS"},
	{"photon", "VMware Photon OS", "RedHat", "VMware Photon OS"},
}

// families names the families that ID_LIKE of an unknown distribution can point to.
var families = map[string]string{
	"debian": "debian", "ubuntu": "debian", "rhel": "redhat", "centos": "redhat", "fedora": "redhat",
	"suse": "suse", "opensuse": "suse", "arch": "arch", "alpine": "alpine", "gentoo": "gentoo",
}

func (o Options) system(f set) {
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		f.put("kernel", strings.ToLower(unix.ByteSliceToString(uts.Sysname[:])))
		f.put("kernelrelease", unix.ByteSliceToString(uts.Release[:]))
		f.put("kernelversion", unix.ByteSliceToString(uts.Version[:]))
		f.put("cpuarch", unix.ByteSliceToString(uts.Machine[:]))
		f.put("nodename", unix.ByteSliceToString(uts.Nodename[:]))
	} else {
		f.put("kernel", runtime.GOOS)
	}
	f.put("arch", runtime.GOARCH)
	o.release(f)
	o.names(f)
	f.put("init", o.init())
	o.virtualization(f)
	f.put("machine_id", o.read("etc/machine-id"))
	if f["machine_id"] == nil {
		f.put("machine_id", o.read("var/lib/dbus/machine-id"))
	}
}

// release reads os-release, which every current distribution has.
func (o Options) release(f set) {
	r := o.assignments("etc/os-release")
	if len(r) == 0 {
		r = o.assignments("usr/lib/os-release")
	}
	id := r["ID"]
	if id == "centos" && strings.Contains(r["NAME"], "Stream") {
		id = "centos stream"
	}
	name, full := strings.ToLower(id), r["NAME"]
	for _, d := range distributions {
		if strings.EqualFold(d.id, id) {
			name, full = strings.ToLower(d.os), d.full
			f.put("os_family", strings.ToLower(d.family))
		}
	}
	for like := range strings.FieldsSeq(r["ID_LIKE"]) {
		if f["os_family"] == nil {
			f.put("os_family", families[like])
		}
	}
	f.put("os", name)
	if f["os_family"] == nil {
		f.put("os_family", name)
	}
	f.put("osfullname", strings.ToLower(full))
	version := r["VERSION_ID"]
	f.put("osrelease", version)
	f.put("oscodename", strings.ToLower(r["VERSION_CODENAME"]))
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.ParseInt(major, 10, 64); err == nil {
		f.put("osmajorrelease", n)
	}
	if full != "" && version != "" {
		f.put("osfinger", strings.ToLower(full)+"-"+fingerVersion(name, version, major))
	}
}

// fingerVersion is the part of a version that says what is compatible.
func fingerVersion(os, version, major string) string {
	if os == "ubuntu" || os == "pop" {
		return version
	}
	return major
}

// assignments reads a file of NAME=value lines as a shell would.
func (o Options) assignments(path string) map[string]string {
	values := map[string]string{}
	for line := range o.lines(path) {
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			quote := value[0]
			value = value[1 : n-1]
			if quote == '"' {
				value = strings.NewReplacer(`\"`, `"`, `\$`, "$", `\\`, `\`, "\\`", "`").Replace(value)
			}
		}
		values[name] = value
	}
	return values
}

// lines goes through the trimmed lines of a file that may not be there.
func (o Options) lines(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		file, err := os.Open(o.path(path))
		if err != nil {
			return
		}
		defer file.Close()
		for s := bufio.NewScanner(file); s.Scan(); {
			if !yield(strings.TrimSpace(s.Text())) {
				return
			}
		}
	}
}

// names finds out what the host is called, from its own files: a name server that does not answer would hold up everything.
func (o Options) names(f set) {
	name, err := os.Hostname()
	if o.root != "" {
		name = o.read("etc/hostname")
	} else if err != nil {
		return
	}
	fqdn := name
	if !strings.Contains(name, ".") {
		for line := range o.lines("etc/hosts") {
			line, _, _ = strings.Cut(line, "#")
			if full := canonical(strings.Fields(line), name); full != "" {
				fqdn = full
				break
			}
		}
	}
	host, _, _ := strings.Cut(name, ".")
	_, domain, _ := strings.Cut(fqdn, ".")
	f.put("hostname", name)
	f.put("host", host)
	f.put("fqdn", fqdn)
	f["domain"] = domain // "" says that there is none
}

// canonical is the name with a domain, if this line of /etc/hosts is about the host.
func canonical(fields []string, host string) string {
	about, full := false, ""
	for i, field := range fields {
		if i == 0 {
			continue // the address
		}
		about = about || field == host || strings.HasPrefix(field, host+".")
		if full == "" && strings.HasPrefix(field, host+".") {
			full = field
		}
	}
	if about {
		return full
	}
	return ""
}

func (o Options) init() string {
	switch {
	case o.exists("run/systemd/system"):
		return "systemd"
	case o.exists("run/openrc"):
		return "openrc"
	case o.exists("run/runit"):
		return "runit"
	}
	switch comm := o.read("proc/1/comm"); comm {
	case "init":
		return "sysvinit"
	default:
		return comm
	}
}

// virtualization tells containers from machines and names the kind, as Salt does. What systemd
// has noted of its container comes first.
func (o Options) virtualization(f set) {
	if container := o.read("run/systemd/container"); container != "" {
		f.put("virtual", "container")
		f.put("virtual_subtype", container)
		return
	}
	system, role, err := host.Virtualization()
	if err != nil {
		return
	}
	switch {
	case system == "" || role == "host":
		f.put("virtual", "physical")
	case system == "docker" || system == "podman" || system == "lxc" || system == "systemd-nspawn" || system == "rkt" || system == "openvz":
		f.put("virtual", "container")
		f.put("virtual_subtype", system)
	case system == "vbox":
		f.put("virtual", "virtualbox")
	default:
		f.put("virtual", strings.ToLower(system))
	}
}
