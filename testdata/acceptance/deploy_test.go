//go:build acceptance

package acceptance

import (
	"os"
	"strings"
	"testing"
)

// The deployment guide, from installing the binary to a connected fleet.

func installBinaries(t *testing.T, f *fleet) {
	for _, m := range f.all() {
		m.install(t, "bin/zester", "/usr/bin/zester", 0o755)
		m.must(t, "zester", "install", "--symlinks", "/usr/bin")
		for _, name := range []string{"zester-master", "zester-peel"} {
			if out := m.must(t, "/usr/bin/"+name, "--version"); !strings.HasPrefix(out, name+" ") {
				t.Errorf("%s: %s --version: %q", m.name, name, out)
			}
		}
	}
}

func createAccounts(t *testing.T, f *fleet) {
	for _, m := range f.all() {
		m.sh(t, `useradd --system --shell /usr/sbin/nologin --home-dir /var/lib/zester zester
			mkdir -p /var/log/zester /etc/zester
			chown -R zester:zester /var/log/zester`)
	}
	f.nats.sh(t, `useradd --system --shell /usr/sbin/nologin --home-dir /var/lib/nats nats`)
}

func bootstrap(t *testing.T, f *fleet) {
	m := f.master
	bootstrap := []string{"zester", "bootstrap", "--dir", "/root/cluster", "--enroll-host", "master", "--nats-host", "nats"}
	m.must(t, bootstrap...)
	before := m.sh(t, "find /root/cluster -type f -exec sha256sum {} + | sort")
	if out, err := m.try(t, patience, bootstrap...); err == nil || !strings.Contains(out, "is not overwritten") {
		t.Errorf("a second bootstrap: %v\n%s", err, out)
	}
	if after := m.sh(t, "find /root/cluster -type f -exec sha256sum {} + | sort"); after != before {
		t.Errorf("a second bootstrap has changed files:\n%s\n%s", before, after)
	}
	m.sh(t, `cd /root/cluster
		install -o root -g zester -m 0600 master.creds account.seed enroll.key /etc/zester/
		install -o root -g zester -m 0644 enroll.crt nats-ca.crt /etc/zester/
		install -d -m 0700 /root/.zester
		install -m 0600 admin.creds /root/.zester/`)
	for _, peel := range f.peels() {
		for _, name := range []string{"enroll-ca.crt", "nats-ca.crt"} {
			peel.write(t, "/etc/zester/"+name, m.must(t, "cat", "/root/cluster/"+name), 0o644)
		}
	}
	for name, mode := range map[string]os.FileMode{"nats.crt": 0o644, "nats.key": 0o640, "resolver.conf": 0o644} {
		f.nats.write(t, "/etc/nats/"+name, m.must(t, "cat", "/root/cluster/"+name), mode)
	}
	f.nats.must(t, "chown", "root:nats", "/etc/nats/nats.key")
}

func configure(t *testing.T, f *fleet) {
	m := f.master
	f.nats.install(t, "packaging/etc/nats-server.conf", "/etc/nats/nats-server.conf", 0o644)
	m.install(t, "packaging/etc/master.yaml", "/etc/zester/master.yaml", 0o640)
	m.write(t, "/root/.zester/config.yaml", "nats_url: nats://nats:4222\nnats_ca: /etc/zester/nats-ca.crt\ncreds: /root/.zester/admin.creds\n", 0o600)
	m.sh(t, `chown root:zester /etc/zester/master.yaml
		install -d -o root -g zester -m 0750 /srv/zester/states /srv/zester/settings`)
	f.nats.install(t, "packaging/systemd/zester-nats.service", "/etc/systemd/system/zester-nats.service", 0o644)
	m.install(t, "packaging/systemd/zester-master.service", "/etc/systemd/system/zester-master.service", 0o644)
	for _, peel := range f.peels() {
		peel.install(t, "packaging/etc/peel.yaml", "/etc/zester/peel.yaml", 0o640)
		peel.must(t, "chown", "root:zester", "/etc/zester/peel.yaml")
		peel.install(t, "packaging/systemd/zester-peel.service", "/etc/systemd/system/zester-peel.service", 0o644)
	}
	f.web.install(t, "packaging/systemd/zester-peel.service.d/manage-host.conf", "/etc/systemd/system/zester-peel.service.d/manage-host.conf", 0o644)
	f.web.write(t, "/etc/zester/facts/role.yaml", "role: web\n", 0o644)
}

// verifyUnits asks systemd what it thinks of the units.
func verifyUnits(t *testing.T, f *fleet) {
	for _, m := range f.all() {
		if out := m.sh(t, "systemd-analyze verify /etc/systemd/system/zester-*.service 2>&1"); out != "" {
			t.Errorf("%s: systemd-analyze verify: %s", m.name, out)
		}
	}
}

func startServices(t *testing.T, f *fleet) {
	start := func(m *machine, unit string) {
		m.must(t, "systemctl", "daemon-reload")
		m.must(t, "systemctl", "enable", unit)
		m.must(t, "systemctl", "start", unit)
		m.active(t, unit)
		m.must(t, "systemctl", "status", "--no-pager", unit)
	}
	start(f.nats, "zester-nats")
	start(f.master, "zester-master")
	if !eventually(patience, func() bool { return strings.Contains(get(t, f.master, "9091", "/readyz"), "200 OK") }) {
		t.Fatalf("the master does not get ready: %s\n%s", get(t, f.master, "9091", "/readyz"), f.master.journal(t, "zester-master"))
	}
	for _, peel := range f.peels() {
		start(peel, "zester-peel")
	}
}

// get is an HTTP request from within a machine, which has no curl.
func get(t *testing.T, m *machine, port, path string) string {
	t.Helper()
	out, _ := m.try(t, glance, "bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/`+port+` && printf 'GET `+path+` HTTP/1.0\r\n\r\n' >&3 && cat <&3`)
	return out
}

func enroll(t *testing.T, f *fleet) {
	var out string
	lists := func(state string) func() bool {
		return func() bool {
			out, _ = f.master.try(t, glance, "zester", "enroll", "list")
			return strings.Count(out, state) == len(f.peels())
		}
	}
	if !eventually(patience, lists("pending")) {
		t.Fatalf("not all peels ask to be enrolled:\n%s\n%s", out, f.web.journal(t, "zester-peel"))
	}
	f.client(t, 0, "enroll", "approve", "--all")
	f.connected(t)
	if !eventually(patience, lists("active")) {
		t.Errorf("enroll list:\n%s", out)
	}
	if out := f.client(t, 0, "peels"); !strings.Contains(out, "10.88.0.11") || !strings.Contains(out, "10.88.0.12") {
		t.Errorf("the peels are connected from other addresses than their own:\n%s", out)
	}
}

// The guide's table of owners and modes, for what is installed and for what the programs have made.
func fileModes(t *testing.T, f *fleet) {
	for _, want := range []struct {
		m          *machine
		path, mode string
	}{
		{f.master, "/etc/zester/master.yaml", "root:zester 640"},
		{f.master, "/etc/zester/master.creds", "root:zester 600"},
		{f.master, "/etc/zester/account.seed", "root:zester 600"},
		{f.master, "/srv/zester/states", "root:zester 750"},
		{f.master, "/srv/zester/settings", "root:zester 750"},
		{f.master, "/var/log/zester", "zester:zester 755"},
		{f.master, "/root/cluster/keys/operator.seed", "root:root 600"},
		{f.master, "/root/cluster/account.seed", "root:root 600"},
		{f.master, "/root/cluster/admin.creds", "root:root 600"},
		{f.master, "/root/cluster/sys.creds", "root:root 600"},
		{f.nats, "/var/lib/nats", "nats:nats 700"},
		{f.web, "/etc/zester/peel.yaml", "root:zester 640"},
		{f.web, "/etc/zester/web-01.creds", "root:root 600"},
		{f.web, "/var/lib/zester", "root:root 700"},
	} {
		if got := strings.TrimSpace(want.m.must(t, "stat", "-c", "%U:%G %a", want.path)); got != want.mode {
			t.Errorf("%s: %s is %s, want %s", want.m.name, want.path, got, want.mode)
		}
	}
	if out, err := f.web.try(t, patience, "ls", "/etc/zester/web-01.seed"); err == nil {
		t.Errorf("the seed file of the enrollment is still there: %s", out)
	}
	for unit, user := range map[string]string{"zester-nats": "nats", "zester-master": "zester"} {
		m := f.machineOf(unit)
		if got := strings.TrimSpace(m.must(t, "stat", "-c", "%U", "/proc/"+m.pid(t, unit))); got != user {
			t.Errorf("%s runs as %s, want %s", unit, got, user)
		}
	}
}

func facts(t *testing.T, f *fleet) {
	kernel := strings.TrimSpace(f.web.must(t, "uname", "-r"))
	version := strings.TrimPrefix(strings.TrimSpace(f.web.sh(t, "cat /etc/debian_version")), "v")
	major, _, _ := strings.Cut(version, ".")
	for name, want := range map[string]string{
		"os": "debian", "os_family": "debian", "osrelease": major, "oscodename": codename(t), "kernel": "linux", "kernelrelease": kernel,
		"hostname": "web-01", "fqdn": "web-01.example.test", "domain": "example.test", "default_ipv4": "10.88.0.11", "init": "systemd",
		"machine_id": strings.TrimSpace(f.web.must(t, "cat", "/etc/machine-id")), "role": "web",
	} {
		if got := f.value(t, "web-01", "facts.get", name); got != want {
			t.Errorf("facts.get %s: %v, want %q", name, got, want)
		}
	}
	if got := f.value(t, "web-01", "network.ip_addrs"); got != "10.88.0.11" {
		t.Errorf("network.ip_addrs: %v", got)
	}
	answers := f.ask(t, "G@role:web", "cmd.run", "hostname")
	if len(answers) != 1 || answers["web-01"].Value != "web-01" {
		t.Errorf("G@role:web: %v", answers)
	}
	if answers := f.ask(t, "S@10.88.0.0/24 and E@^db", "test.ping"); len(answers) != 1 || answers["db-01"].Value != true {
		t.Errorf("S@10.88.0.0/24 and E@^db: %v", answers)
	}
	var out string
	if !eventually(patience, func() bool {
		out, _ = f.master.try(t, glance, "zester", "basket", "get", "*", "network.ip_addrs")
		return strings.Contains(out, "10.88.0.11")
	}) {
		t.Errorf("basket get:\n%s", out)
	}
}
