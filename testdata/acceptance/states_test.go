//go:build acceptance

package acceptance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStates manages a machine with its own useradd, apt, systemd, crontab and mount: each tree is tried, applied and
// applied again, and must do what it announced, once.
func TestStates(t *testing.T) {
	base := baseTree(t)
	m := newLAN(t, "states", nil).boot(t, base, "host", "10.88.0.21")
	m.install(t, "bin/zester", "/usr/bin/zester", 0o755)
	repositoryOf(t, m)
	m.write(t, "/usr/lib/systemd/system/tick.service", "[Service]\nExecStart=/bin/sh -c 'cat /etc/tick.conf; exec sleep infinity'\nExecReload=/bin/touch /run/tick.reloaded\n[Install]\nWantedBy=multi-user.target\n", 0o644)
	m.write(t, "/etc/systemd/system/broken.service", "[Service]\nExecStart=/bin/false\n", 0o644)
	m.ready(t, 1)
	m.must(t, "apt-get", "-q", "update")
	m.must(t, "mount", "-o", "remount,bind,rw", "/proc/sys") // only settings of the machine's own network are changed
	for _, step := range []stateStep{
		{name: "accounts", changed: 4, tree: `
ops:
  group.present: [{gid: 3000}]
web:
  user.present:
    - uid: 3001
    - gid: ops
    - groups: [adm, games]
    - shell: /bin/bash
    - fullname: Web User
    - password: '$6$salt$hash'
    - maxdays: 90
    - require: [{group: ops}]
plain:
  user.present: []
team:
  group.present:
    - members: [plain]
    - require: [{user: plain}]
owned:
  file.managed: [{name: /srv/owned}, {contents: x}, {user: root}, {group: root}]
`, also: 1, check: `test "$(id -Gn web | tr ' ' '\n' | sort | tr '\n' ' ')" = "adm games ops "
			getent passwd web | grep -q '^web:x:3001:3000:Web User:/home/web:/bin/bash$'
			grep -q '^web:[$]6[$]salt[$]hash:.*:0:90:7' /etc/shadow; test -d /home/web; id -Gn plain | grep -qw team`},
		{name: "accounts-changed", changed: 3, tree: `
web:
  user.present: [{groups: [games]}, {shell: /bin/sh}, {password: '$6$salt$other'}]
plain:
  user.absent: [{purge: True}]
team:
  group.absent: [{require: [{user: plain}]}]
`, check: `! id plain 2>/dev/null; ! test -e /home/plain; test "$(id -Gn web)" = "ops games"; grep -q '[$]other' /etc/shadow`},
		{name: "packages", changed: 2, tree: `
alpha:
  pkg.installed: [{version: 1.0-1}, {refresh: False}]
beta:
  pkg.installed: [{pkgs: [beta: '<2']}, {hold: True}]
`, check: `test "$(dpkg-query -W -f '${Version}' alpha)" = 1.0-1; test "$(dpkg-query -W -f '${Version}' beta)" = 1.1-1; apt-mark showhold | grep -qx beta`},
		{name: "packages-latest", changed: 2, tree: `
alpha:
  pkg.latest: []
beta:
  pkg.unheld: []
greek:
  pkg.installed: []
`, same: 1, check: `test "$(dpkg-query -W -f '${Version}' alpha)" = 2:2.0-1`},
		{name: "packages-gone", changed: 2, tree: `
alpha:
  pkg.removed: []
beta:
  pkg.purged: []
`, check: `! test -e /usr/share/alpha/v; test -e /etc/alpha.conf; ! test -e /etc/beta.conf`},
		{name: "packages-wrong", failed: 2, tree: `
nothing-of-this-name:
  pkg.installed: []
alpha:
  pkg.installed: [{version: '9'}]
`},
		{name: "service", changed: 2, tree: `
/etc/tick.conf:
  file.managed: [{contents: one}]
tick:
  service.running: [{enable: True}, {watch: [{file: /etc/tick.conf}]}]
`, check: `systemctl is-active tick; systemctl is-enabled tick; systemctl show -P MainPID tick > /run/tick.pid`},
		{name: "service-restart", changed: 2, tree: `
/etc/tick.conf:
  file.managed: [{contents: two}]
tick:
  service.running: [{enable: True}, {watch: [{file: /etc/tick.conf}]}]
`, check: `test "$(systemctl show -P MainPID tick)" != "$(cat /run/tick.pid)"; systemctl show -P MainPID tick > /run/tick.pid`},
		{name: "service-reload", changed: 2, tree: `
/etc/tick.conf:
  file.managed: [{contents: three}]
tick:
  service.running: [{reload: True}, {watch: [{file: /etc/tick.conf}]}]
`, check: `test "$(systemctl show -P MainPID tick)" = "$(cat /run/tick.pid)"; test -e /run/tick.reloaded`},
		{name: "service-changed-unit", changed: 2, tree: `
/usr/lib/systemd/system/tick.service:
  file.replace: [{pattern: sleep infinity}, {repl: sleep 9999}, {backup: False}]
tick:
  service.running: [{watch: [{file: /usr/lib/systemd/system/tick.service}]}]
`, check: `for try in $(seq 600); do grep -zqx 9999 /proc/$(systemctl show -P MainPID tick)/cmdline && exit 0; sleep 0.1; done; exit 1`},
		{name: "service-dead", changed: 2, tree: `
tick:
  service.dead: [{enable: False}]
tick-masked:
  service.masked: [{name: tick}]
absent:
  service.dead: [{name: no-such-service}]
`, same: 1, failsTwice: true, check: `! systemctl is-active tick; systemctl is-enabled tick | grep -q masked`},
		{name: "service-wrong", failed: 3, tree: `
tick:
  service.running: []
broken:
  service.running: [{init_delay: 3}]
no-such-service:
  service.running: []
`},
		{name: "kernel", changed: 2, tree: `
net.ipv4.ip_forward:
  sysctl.present: [{value: 1}, {config: /etc/sysctl.d/50-test.conf}]
net.ipv4.ip_local_port_range:
  sysctl.present: [{value: 20000 60000}]
`, check: `grep -qx 'net.ipv4.ip_forward = 1' /etc/sysctl.d/50-test.conf; test "$(cat /proc/sys/net/ipv4/ip_forward)" = 1
			grep -q '20000 60000' /etc/sysctl.d/99-zester.conf; test "$(cat /proc/sys/net/ipv4/ip_local_port_range)" = "20000	60000"`},
		{name: "cron", changed: 3, tree: `
/bin/true backup:
  cron.present: [{user: web}, {minute: random}, {hour: 3}, {comment: nightly}, {identifier: backup}]
/bin/true reboot:
  cron.present: [{user: web}, {special: '@reboot'}]
MAILTO:
  cron.env_present: [{user: web}, {value: ops@example.test}]
`, check: `crontab -u web -l | grep -q '^[0-9]* 3 [*] [*] [*] /bin/true backup$'; crontab -u web -l | grep -q '^# nightly SALT_CRON_IDENTIFIER:backup$'
			crontab -u web -l | grep -qx '@reboot /bin/true reboot'; crontab -u web -l | grep -qx 'MAILTO="ops@example.test"'`},
		{name: "cron-changed", changed: 3, tree: `
/bin/true other:
  cron.present: [{user: web}, {minute: random}, {hour: 4}, {identifier: backup}, {commented: True}]
/bin/true reboot:
  cron.absent: [{user: web}]
MAILTO:
  cron.env_absent: [{user: web}]
`, check: `test "$(crontab -u web -l | grep -c true)" = 1; crontab -u web -l | grep -q '^#DISABLED#[0-9]* 4 .*other$'; ! crontab -u web -l | grep MAILTO`},
		{name: "mounts", changed: 2, tree: `
/srv/scratch:
  mount.mounted: [{device: tmpfs}, {fstype: tmpfs}, {opts: [size=1m, mode=0700]}, {mkmnt: True}]
/srv/later:
  mount.fstab_present: [{name: tmpfs}, {fs_file: /srv/later}, {fs_vfstype: tmpfs}]
`, check: `mountpoint -q /srv/scratch; grep -q '/srv/scratch.*size=1m,mode=0700' /etc/fstab; grep -q /srv/later /etc/fstab`},
		{name: "mounts-gone", changed: 2, tree: `
/srv/scratch:
  mount.unmounted: [{persist: True}]
/srv/later:
  mount.fstab_absent: [{name: tmpfs}, {fs_file: /srv/later}]
`, check: `! mountpoint -q /srv/scratch; ! grep -q /srv /etc/fstab`},
		{name: "alternatives", changed: 1, tree: `
greeter:
  alternatives.install: [{link: /usr/local/bin/greeter}, {path: /bin/true}, {priority: 10}]
`, check: `test "$(readlink -f /usr/local/bin/greeter)" = "$(readlink -f /bin/true)"`},
		{name: "zone", changed: 1, tree: `
Etc/GMT+5:
  timezone.system: []
`, check: `readlink /etc/localtime | grep -q 'Etc/GMT+5'`},
		{name: "hosts", changed: 2, tree: `
db:
  host.present: [{ip: 10.9.9.9}, {names: [db, db.example.test]}]
`, check: `getent hosts db.example.test | grep -q 10.9.9.9`},
		{name: "keys", changed: 1, tree: `
AAAAB3NzaC1yc2EAAAADAQABAAAAgQC:
  ssh_auth.present: [{user: web}, {comment: ops@example.test}]
`, check: `grep -qx 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC ops@example.test' /home/web/.ssh/authorized_keys
			test "$(stat -c %U:%a /home/web/.ssh /home/web/.ssh/authorized_keys | tr '\n' ' ')" = "web:700 web:600 "`},
	} {
		t.Run(step.name, func(t *testing.T) { step.run(t, m) })
	}
}

// stateStep is a tree, how many of its states change something, and what the machine says afterwards.
type stateStep struct {
	name, tree, check string
	changed, failed   int
	// also are states that change something and same are those that do not, beside changed.
	also, same int
	// failsTwice is for a tree that cannot be applied to what it has made.
	failsTwice bool
}

func (s stateStep) run(t *testing.T, m *machine) {
	m.write(t, "/srv/tree/"+s.name+".sls", s.tree, 0o644)
	if s.failed == 0 {
		if _, _, failed, text := applied(t, m, s.name, "test=True"); failed > 0 {
			t.Errorf("the test run fails:\n%s", text)
		}
	}
	changed, same, failed, text := applied(t, m, s.name)
	if changed != s.changed+s.also || same != s.same || failed != s.failed {
		t.Fatalf("%d changed, %d the same, %d failed; want %d, %d, %d\n%s", changed, same, failed, s.changed+s.also, s.same, s.failed, text)
	}
	if s.check != "" {
		m.sh(t, s.check)
	}
	if s.failed > 0 || s.failsTwice {
		return
	}
	if changed, _, failed, text := applied(t, m, s.name); changed+failed > 0 {
		t.Errorf("once more: %d changed, %d failed\n%s", changed, failed, text)
	}
}

// applied applies an SLS file in the machine and counts its results.
func applied(t *testing.T, m *machine, name string, more ...string) (changed, same, failed int, text string) {
	t.Helper()
	words := append([]string{"zester", "local", "--tree", "/srv/tree", "--format", "json", "state.apply", name}, more...)
	out, err := m.try(t, patience, words...)
	var report struct {
		Value struct {
			States []struct {
				Function, ID, Comment string
				Result                *bool
				Changes               map[string]any
			}
		}
	}
	if json.Unmarshal([]byte(out), &report) != nil || len(report.Value.States) == 0 {
		t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
	for _, state := range report.Value.States {
		switch {
		case state.Result != nil && !*state.Result:
			failed++
		case len(state.Changes) > 0:
			changed++
		default:
			same++
		}
		text += fmt.Sprintf("%s %s: %v %s\n", state.Function, state.ID, state.Changes, state.Comment)
	}
	return changed, same, failed, text
}

// repositoryOf gives a machine a repository of small packages: alpha and beta in three versions each.
func repositoryOf(t *testing.T, m *machine) {
	t.Helper()
	dir := filepath.Join(m.root, "srv/repository")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	list := ""
	for _, name := range []string{"alpha", "beta"} {
		for _, version := range []string{"1.0-1", "1.1-1", "2:2.0-1"} {
			work := t.TempDir()
			control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Test <test@example.test>\nDescription: test\n", name, version)
			if name == "beta" {
				control += "Provides: greek\n"
			}
			for path, text := range map[string]string{
				"DEBIAN/control": control, "DEBIAN/conffiles": "/etc/" + name + ".conf\n", "etc/" + name + ".conf": "x\n", "usr/share/" + name + "/v": version + "\n",
			} {
				path = filepath.Join(work, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(work, 0o755); err != nil {
				t.Fatal(err)
			}
			file := name + "_" + strings.ReplaceAll(version, ":", "_") + ".deb"
			command(t, "dpkg-deb", "--root-owner-group", "--build", work, filepath.Join(dir, file))
			sum := strings.Fields(command(t, "sha256sum", filepath.Join(dir, file)))[0]
			info, err := os.Stat(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			list += fmt.Sprintf("%sFilename: ./%s\nSize: %d\nSHA256: %s\n\n", control, file, info.Size(), sum)
		}
	}
	m.write(t, "/srv/repository/Packages", list, 0o644)
	m.write(t, "/etc/apt/sources.list", "deb [trusted=yes] file:/srv/repository ./\n", 0o644)
}
