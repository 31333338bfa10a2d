//go:build acceptance

package acceptance

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// composeFile is what of docker-compose.yml there is to run.
type composeFile struct {
	Services map[string]composeService
}

type composeService struct {
	Image               string
	Command, Entrypoint []string
	Volumes             []string
	DependsOn           map[string]struct{ Condition string } `yaml:"depends_on"`
}

// TestCompose starts the services of docker-compose.yml with their commands, volumes and dependencies. Where Docker would
// run its images, it runs copies of the Debian base tree with the binary laid out as the Containerfile does, and "zester
// nats" stands for the image of nats-server.
func TestCompose(t *testing.T) {
	var file composeFile
	if err := yaml.Unmarshal([]byte(readFile(t, filepath.Join(repository, "packaging/docker-compose.yml"))), &file); err != nil {
		t.Fatal(err)
	}
	base := baseTree(t)
	addrs, hosts := map[string]string{}, map[string][]string{}
	order := startOrder(t, file)
	for i, name := range order {
		addrs[name] = "10.88.0." + string(rune('1'+i))
		hosts[addrs[name]] = []string{name}
	}
	l := newLAN(t, "compose", hosts)
	running := map[string]*machine{}
	for _, name := range order {
		m := l.connect(t, base, name, addrs[name])
		m.install(t, "bin/zester", "/usr/local/bin/zester", 0o755)
		for _, link := range []string{"zester-master", "zester-peel", "playground-init"} {
			command(t, "ln", "-s", "zester", filepath.Join(m.root, "usr/local/bin", link))
		}
		running[name] = m
		m.runService(t, file.Services[name])
		for _, other := range file.Services {
			if other.DependsOn[name].Condition != "service_completed_successfully" {
				continue
			}
			select {
			case <-m.off:
			case <-time.After(patience):
				t.Fatalf("%s does not end:\n%s", name, m.console)
			}
			if m.exit != nil {
				t.Fatalf("%s: %v\n%s", name, m.exit, m.console)
			}
		}
	}
	admin := running["admin"]
	consoles := func() string {
		var all strings.Builder
		for _, name := range order {
			all.WriteString("\n" + name + ":\n" + running[name].console.String())
		}
		return all.String()
	}
	var out string
	if !eventually(patience, func() bool {
		out, _ = admin.try(t, glance, "zester", "enroll", "list")
		return strings.Contains(out, "pending")
	}) {
		t.Fatalf("no peel asks to be enrolled: %s%s", out, consoles())
	}
	admin.must(t, "zester", "enroll", "approve", "--all")
	for _, words := range [][]string{
		{"zester", "-t", "20s", "web-01", "test.ping"},
		{"zester", "-t", "20s", "web-01", "state.apply"},
		{"zester", "basket", "list", "web-01"},
	} {
		if !eventually(patience, func() bool {
			var err error
			out, err = admin.try(t, glance, words...)
			return err == nil
		}) {
			t.Errorf("%s: %s%s", strings.Join(words, " "), out, consoles())
		}
	}
	if motd := readFile(t, filepath.Join(running["web-01"].root, "etc/motd")); !strings.HasPrefix(motd, "web-01: ") {
		t.Errorf("web-01's /etc/motd: %q", motd)
	}
	for name, m := range running {
		select {
		case <-m.off:
			if name != "init" {
				t.Errorf("%s has ended: %v\n%s", name, m.exit, m.console)
			}
		default:
		}
	}
}

// startOrder has every service after those it depends on.
func startOrder(t *testing.T, file composeFile) []string {
	t.Helper()
	var order []string
	for len(order) < len(file.Services) {
		before := len(order)
		for name, service := range file.Services {
			ready := !slices.Contains(order, name)
			for needed := range service.DependsOn {
				ready = ready && slices.Contains(order, needed)
			}
			if ready {
				order = append(order, name)
			}
		}
		if len(order) == before {
			t.Fatalf("the services depend on each other in a circle; %v can start", order)
		}
	}
	return order
}

// runService runs a service's program. Volumes are directories that all services share.
func (m *machine) runService(t *testing.T, service composeService) {
	t.Helper()
	how := []string{"--as-pid2", "--console=pipe"}
	for _, volume := range service.Volumes {
		fields := strings.Split(volume, ":")
		dir := filepath.Join(work, "volumes", fields[0])
		command(t, "mkdir", "-p", dir)
		bind := "--bind="
		if len(fields) == 3 && fields[2] == "ro" {
			bind = "--bind-ro="
		}
		how = append(how, bind+dir+":"+fields[1])
	}
	argv := slices.Concat(service.Entrypoint, service.Command)
	if strings.HasPrefix(service.Image, "nats:") {
		argv = append([]string{"zester", "nats"}, argv...)
	}
	m.powerOn(t, append(append(how, "--"), argv...)...)
}
