//go:build acceptance

package acceptance

import (
	"strings"
	"testing"
)

// A fleet at work: states, restarts, reboots, upgrades.

const userState = `
deploy_user:
  cmd.run:
    - name: useradd --system --gid www-data deploy
    - unless: id deploy
`

const appState = `
/srv/app:
  file.directory:
    - user: deploy
    - group: www-data
    - mode: "2750"

/srv/app/app.conf:
  file.managed:
    - contents: |
        host = {{ facts.fqdn }}
        addr = {{ facts.default_ipv4 }}
    - user: deploy
    - group: www-data
    - mode: "0640"
    - require:
      - file: /srv/app

/etc/cron.d/app:
  file.managed:
    - contents: "* * * * * deploy /bin/true"
    - mode: "0644"

reload:
  cmd.run:
    - name: date +%s%N > /run/app.reloaded
    - onchanges:
      - file: /srv/app/app.conf
`

func applyStates(t *testing.T, f *fleet) {
	m := f.master
	m.write(t, "/srv/zester/states/users.zy", userState, 0o640)
	m.write(t, "/srv/zester/states/app.zy", appState, 0o640)
	m.write(t, "/srv/zester/states/top.zy", "base:\n  'G@role:web':\n    - users\n    - app\n", 0o640)
	m.must(t, "chown", "-R", "root:zester", "/srv/zester")
	var out string
	if !eventually(patience, func() bool {
		var err error
		out, err = m.try(t, glance, "zester", "web-01", "state.apply", "users")
		return err == nil
	}) {
		t.Fatalf("the tree does not come to the peel:\n%s\n%s", out, m.journal(t, "zester-master"))
	}
	if !eventually(patience, func() bool { // the files come as they are written
		var err error
		out, err = m.try(t, glance, "zester", "web-01", "state.apply", "test=true")
		return err == nil && strings.Contains(out, "/srv/app/app.conf")
	}) {
		t.Fatalf("the top file does not come to the peel:\n%s\n%s", out, m.journal(t, "zester-master"))
	}
	if out, err := f.web.try(t, patience, "ls", "/srv/app"); err == nil {
		t.Errorf("test=true has made %s", out)
	}
	f.client(t, 0, "web-01", "state.apply")
	for path, want := range map[string]string{
		"/srv/app": "deploy:www-data 2750", "/srv/app/app.conf": "deploy:www-data 640", "/etc/cron.d/app": "root:root 644",
	} {
		if got := strings.TrimSpace(f.web.must(t, "stat", "-c", "%U:%G %a", path)); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if got, want := f.web.must(t, "cat", "/srv/app/app.conf"), "host = web-01.example.test\naddr = 10.88.0.11\n"; got != want {
		t.Errorf("app.conf: %q, want %q", got, want)
	}
	reloaded := f.web.must(t, "cat", "/run/app.reloaded")
	if out := f.client(t, 0, "web-01", "state.apply"); strings.Contains(out, "changed=") {
		t.Errorf("a second run changes things:\n%s", out)
	}
	if again := f.web.must(t, "cat", "/run/app.reloaded"); again != reloaded {
		t.Error("a second run reloads")
	}
	f.web.sh(t, "chown root /srv/app/app.conf && chmod 666 /srv/app/app.conf")
	f.client(t, 0, "web-01", "state.apply")
	if got := strings.TrimSpace(f.web.must(t, "stat", "-c", "%U:%G %a", "/srv/app/app.conf")); got != "deploy:www-data 640" {
		t.Errorf("app.conf is %s after a repair", got)
	}
}

// The guide's unit alone protects the system from the peel, and the peel says what hinders it.
func confined(t *testing.T, f *fleet) {
	m := f.master
	m.write(t, "/srv/zester/states/confined.zy", "/etc/confined:\n  file.managed:\n    - contents: text\n/var/lib/zester/confined:\n  file.managed:\n    - contents: text\n", 0o640)
	m.must(t, "chown", "-R", "root:zester", "/srv/zester")
	var out string
	if !eventually(patience, func() bool {
		out, _ = m.try(t, glance, "zester", "db-01", "state.apply", "confined")
		return strings.Contains(out, "read-only file system")
	}) {
		t.Errorf("a peel under zester-peel.service alone:\n%s", out)
	}
	if _, err := f.db.try(t, patience, "ls", "/etc/confined"); err == nil {
		t.Error("the unit lets the peel write to /etc")
	}
	if got := f.db.must(t, "cat", "/var/lib/zester/confined"); got != "text\n" {
		t.Errorf("what the unit lets the peel write: %q", got)
	}
}

// Processes of the host are real: what a command leaves running lives on in the host, also when the peel is restarted.
func processes(t *testing.T, f *fleet) {
	f.value(t, "web-01", "cmd.run", "setsid sleep 4242 >/dev/null 2>&1 </dev/null & echo $! >/root/sleeper")
	f.web.must(t, "systemctl", "restart", "zester-peel")
	f.connected(t)
	f.web.sh(t, "grep -zqx 4242 /proc/$(cat /root/sleeper)/cmdline")
	if got := f.value(t, "web-01", "cmd.run", "id -un", "runas=deploy"); got != "deploy" {
		t.Errorf("runas: %v", got)
	}
	if got := f.value(t, "web-01", "cmd.run", "readlink /proc/$$/ns/pid"); got != strings.TrimSpace(f.web.sh(t, "readlink /proc/1/ns/pid")) {
		t.Errorf("commands run in another process namespace: %v", got)
	}
}

func reboot(t *testing.T, f *fleet) {
	_, boots := f.web.state()
	f.web.try(t, glance, "systemctl", "reboot")
	f.web.ready(t, boots+1)
	f.web.active(t, "zester-peel")
	f.connected(t)
	if _, now := f.web.state(); now != boots+1 {
		t.Errorf("booted %d times, want %d", now, boots+1)
	}
	if got := f.web.must(t, "cat", "/srv/app/app.conf"); !strings.HasPrefix(got, "host = web-01") {
		t.Errorf("app.conf after a reboot: %q", got)
	}
}

// A command that restarts its own peel returns its result, and the peel is back. What a state run or a command in the
// background must not lose with the peel runs in a unit of its own.
func restartItself(t *testing.T, f *fleet) {
	const dropIn = "/etc/systemd/system/zester-peel.service.d/kill.conf"
	for _, mode := range []string{"process", "control-group"} { // the guide's, and systemd's own default
		f.web.write(t, dropIn, "[Service]\nKillMode="+mode+"\n", 0o644)
		f.web.must(t, "systemctl", "daemon-reload")
		before := f.web.pid(t, "zester-peel")
		answers := f.ask(t, "*", "cmd.run", "echo once >>/var/lib/zester/restarts; systemctl restart zester-peel && echo done; cat /proc/self/cgroup >&2")
		for _, m := range f.peels() {
			a, ok := answers[m.name]
			if text, _ := a.Value.(string); !ok || !a.Success || !strings.HasPrefix(text, "done") || !strings.Contains(text, "/zester-command-") {
				t.Errorf("KillMode=%s: %s has returned %+v\n%s", mode, m.name, a, m.journal(t, "zester-peel"))
			}
		}
		f.connected(t)
		if after := f.web.pid(t, "zester-peel"); after == before {
			t.Errorf("the peel is still process %s", after)
		}
		if out := f.client(t, 0, "web-01", "cmd.run", "systemctl restart zester-peel && echo done"); out != "web-01:\n    done\n" {
			t.Errorf("KillMode=%s: %q", mode, out)
		}
		f.connected(t)
		if got := f.value(t, "web-01", "service.restart", "zester-peel"); got != true {
			t.Errorf("KillMode=%s: service.restart returns %v", mode, got)
		}
		f.connected(t)
		f.value(t, "web-01", "cmd.run", "sleep 2; systemctl restart zester-peel && echo done >>/root/background", "bg=true")
		if !eventually(patience, func() bool {
			_, err := f.web.try(t, glance, "mv", "/root/background", "/root/was")
			return err == nil
		}) {
			t.Errorf("KillMode=%s: a command in the background does not outlive the peel", mode)
		}
		f.connected(t)
	}
	for _, m := range f.peels() {
		if runs := m.must(t, "cat", "/var/lib/zester/restarts"); runs != "once\nonce\n" {
			t.Errorf("%s has run the command %q", m.name, runs)
		}
		var kept string
		if !eventually(patience, func() bool { kept = m.must(t, "ls", "/var/lib/zester/commands"); return kept == "" }) {
			t.Errorf("%s still keeps %q", m.name, kept)
		}
	}
	f.web.must(t, "rm", dropIn)
	f.web.must(t, "systemctl", "daemon-reload")
	f.value(t, "web-01", "cmd.run", "systemd-run --quiet --collect sh -c 'systemctl restart zester-peel && echo done >/root/restarted'")
	if !eventually(patience, func() bool { _, err := f.web.try(t, glance, "cat", "/root/restarted"); return err == nil }) {
		t.Error("a unit that restarts the peel does not come to its end")
	}
	f.connected(t)
}

func restartServices(t *testing.T, f *fleet) {
	for _, unit := range []string{"zester-nats", "zester-master"} {
		f.machineOf(unit).must(t, "systemctl", "restart", unit)
		f.machineOf(unit).active(t, unit)
		f.connected(t)
	}
	// Reading what peels share needs no master.
	f.master.must(t, "systemctl", "stop", "zester-master")
	if out := f.client(t, 0, "basket", "get", "web-01", "network.ip_addrs"); !strings.Contains(out, "10.88.0.11") {
		t.Errorf("basket get without a master:\n%s", out)
	}
	f.master.must(t, "systemctl", "start", "zester-master")
	f.connected(t)
	// A kill is not a stop: systemd starts the peel again.
	f.db.must(t, "systemctl", "kill", "--kill-whom=main", "--signal=KILL", "zester-peel")
	f.connected(t)
}

// upgrade is the guide's, to the word: a new binary in place of the old one and a restart, the peels' through the fleet.
func upgrade(t *testing.T, f *fleet) {
	const version = "acceptance-2"
	f.build(t, version)
	f.master.sh(t, `systemctl stop zester-master
		cp zester-master-new /usr/bin/zester-master
		chmod +x /usr/bin/zester-master
		systemctl start zester-master`)
	f.master.active(t, "zester-master")
	if out := f.master.must(t, "zester-master", "--version"); !strings.Contains(out, version) {
		t.Errorf("zester-master --version: %q", out)
	}
	f.connected(t)
	f.value(t, "web-01", "cmd.run", "cd /root && chmod +x zester-peel && mv zester-peel /usr/bin/ && systemctl restart zester-peel")
	f.connected(t)
	var got any
	if !eventually(patience, func() bool {
		got = f.value(t, "web-01", "facts.get", "zester_version")
		return got == version
	}) {
		t.Errorf("web-01 runs version %v, want %q", got, version)
	}
	if got := f.value(t, "db-01", "facts.get", "zester_version"); got == version {
		t.Errorf("db-01 runs %v, though nobody has upgraded it", got)
	}
}

// build lays a binary of another version onto the machines, as a download would.
func (f *fleet) build(t *testing.T, version string) {
	t.Helper()
	binary := work + "/zester-new"
	command(t, "env", "CGO_ENABLED=0", "go", "build", "-C", repository, "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version="+version, "-o", binary, ".")
	f.master.write(t, "/root/zester-master-new", readFile(t, binary), 0o644)
	f.web.write(t, "/root/zester-peel", readFile(t, binary), 0o644)
}
