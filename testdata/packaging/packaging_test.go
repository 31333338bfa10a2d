package packaging

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const directory = "../../packaging"

// bin is where TestMain lays the binary and its links.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "zester-packaging-")
	if err == nil {
		defer os.RemoveAll(dir)
		bin = dir
		zester := filepath.Join(dir, "zester")
		for _, words := range [][]string{{"go", "build", "-trimpath", "-buildvcs=false", "-o", zester, "../.."}, {zester, "install", "--symlinks", dir}} {
			if out, failed := exec.Command(words[0], words[1:]...).CombinedOutput(); failed != nil {
				err = fmt.Errorf("%v: %w\n%s", words, failed, out)
				break
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// checkCommand looks a program up among those of the binary, and its flags in the program's help.
func checkCommand(t *testing.T, place string, argv []string) {
	t.Helper()
	name := filepath.Base(argv[0])
	words, rest := []string{filepath.Join(bin, name)}, argv[1:]
	if name == "zester" {
		words, rest = append(words, rest[0]), rest[1:]
	}
	help, err := exec.Command(words[0], append(words[1:], "--help")...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %q: there is no such program in the binary: %v %s", place, argv, err, help)
		return
	}
	for _, word := range rest {
		flag, _, _ := strings.Cut(word, "=")
		if strings.HasPrefix(flag, "-") && !regexp.MustCompile(`(?m)^\s+(.*, )?`+regexp.QuoteMeta(flag)+`\b`).Match(help) {
			t.Errorf("%s: %q: %s has no flag %s", place, argv, name, flag)
		}
	}
}

// checkConfig has a program read a configuration. The level it does not know ends it before it does anything.
func checkConfig(t *testing.T, place, program string, content []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	read := exec.Command(filepath.Join(bin, program), "--config", file, "--log-level", "none-such")
	if program == "zester-peel" {
		read.Args = append(read.Args, "--id", "web-01")
	}
	if out, err := read.CombinedOutput(); err == nil || !strings.Contains(string(out), `--log-level: unknown level "none-such"`) {
		t.Errorf("%s: %s does not read it: %s", place, program, out)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// documents are those of a YAML file.
func documents(t *testing.T, path string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for decoder := yaml.NewDecoder(bytes.NewReader(read(t, path))); ; {
		var document map[string]any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, document)
	}
}

// at follows keys into maps; what is not there is nil.
func at(value any, keys ...string) any {
	for _, key := range keys {
		m, _ := value.(map[string]any)
		value = m[key]
	}
	return value
}

func list(value any) []any {
	l, _ := value.([]any)
	return l
}

func texts(value any) []string {
	var all []string
	for _, v := range list(value) {
		all = append(all, fmt.Sprint(v))
	}
	return all
}

// contains reports what of want is missing in got. Elements of lists may be anywhere in the other list.
func contains(path string, got, want any) []string {
	switch want := want.(type) {
	case map[string]any:
		var missing []string
		for key, value := range want {
			missing = append(missing, contains(path+"."+key, at(got, key), value)...)
		}
		return missing
	case []any:
		var missing []string
		for i, value := range want {
			if !slices.ContainsFunc(list(got), func(v any) bool { return len(contains("", v, value)) == 0 }) {
				missing = append(missing, fmt.Sprintf("%s[%d]: %v", path, i, value))
			}
		}
		return missing
	}
	if !reflect.DeepEqual(got, want) {
		return []string{fmt.Sprintf("%s: %v, want %v", path, got, want)}
	}
	return nil
}

// settings are the lines of a unit, each with its section.
func settings(content []byte) []string {
	var all []string
	section := ""
	for line := range strings.Lines(string(content)) {
		switch line = strings.TrimSpace(line); {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = line
		default:
			all = append(all, section+line)
		}
	}
	return all
}

func TestUnits(t *testing.T) {
	units, err := filepath.Glob(filepath.Join(directory, "systemd", "*.service"))
	if err != nil || len(units) != 3 {
		t.Fatalf("units: %v, %v", units, err)
	}
	for _, unit := range units {
		for _, setting := range settings(read(t, unit)) {
			if line, ok := strings.CutPrefix(setting, "[Service]ExecStart="); ok {
				checkCommand(t, unit, strings.Fields(line))
			}
		}
	}
	for _, name := range []string{"zester-master.service", "zester-peel.service"} {
		ours := settings(read(t, filepath.Join(directory, "systemd", name)))
		for _, setting := range settings(read(t, filepath.Join("guide", name))) {
			if !slices.Contains(ours, setting) {
				t.Errorf("%s lacks the guide's %s", name, setting)
			}
		}
	}
	// What lifts a protection names one that is there.
	protection := settings(read(t, filepath.Join(directory, "systemd", "zester-peel.service")))
	for _, setting := range settings(read(t, filepath.Join(directory, "systemd", "zester-peel.service.d", "manage-host.conf"))) {
		key, _, _ := strings.Cut(setting, "=")
		if !slices.ContainsFunc(protection, func(s string) bool { return strings.HasPrefix(s, key+"=") }) {
			t.Errorf("manage-host.conf resets %s, which zester-peel.service does not set", key)
		}
	}
}

func TestConfigurations(t *testing.T) {
	for name, program := range map[string]string{"master.yaml": "zester-master", "peel.yaml": "zester-peel"} {
		checkConfig(t, name, program, read(t, filepath.Join(directory, "etc", name)))
	}
}

func TestCompose(t *testing.T) {
	path := filepath.Join(directory, "docker-compose.yml")
	ours, guide := documents(t, path)[0], documents(t, filepath.Join("guide", "docker-compose.yml"))[0]
	built := 0
	services, _ := at(ours, "services").(map[string]any)
	for name, service := range services {
		build, ok := at(service, "build").(map[string]any)
		if !ok {
			continue
		}
		built++
		if context := filepath.Clean(filepath.Join(directory, fmt.Sprint(build["context"]))); context != filepath.Clean("../..") {
			t.Errorf("%s is built in %s, not at the top of the repository", name, context)
		}
		if _, err := os.Stat(filepath.Join("../..", fmt.Sprint(build["dockerfile"]))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if command := texts(at(service, "command")); command != nil {
			checkCommand(t, path+": "+name, command)
		}
		service.(map[string]any)["build"] = "." // as the guide has it, which has its Dockerfile there
	}
	delete(ours, "x-build")
	if !reflect.DeepEqual(ours, guide) {
		t.Errorf("differs from the guide's in more than where the Containerfile is:\n%v\n%v", ours, guide)
	}
	if built != 4 {
		t.Errorf("%d services are built, want 4", built)
	}
}

func TestKubernetes(t *testing.T) {
	for _, name := range []string{"master.yaml", "peel.yaml"} {
		path := filepath.Join(directory, "kubernetes", name)
		guide := documents(t, filepath.Join("guide", name))[0]
		workloads := 0
		for _, document := range documents(t, path) {
			if config, ok := at(document, "data", name).(string); ok {
				checkConfig(t, path, "zester-"+strings.TrimSuffix(name, ".yaml"), []byte(config))
			}
			if at(document, "kind") != at(guide, "kind") {
				continue
			}
			workloads++
			for _, missing := range contains(fmt.Sprint(at(document, "kind")), document, guide) {
				t.Errorf("%s lacks what the guide has: %s", path, missing)
			}
			checkPod(t, path, at(document, "spec", "template", "spec"))
		}
		if workloads != 1 {
			t.Errorf("%s has %d workloads like the guide's, want 1", path, workloads)
		}
	}
}

func checkPod(t *testing.T, path string, pod any) {
	t.Helper()
	var volumes, mounted []string
	for _, volume := range list(at(pod, "volumes")) {
		volumes = append(volumes, fmt.Sprint(at(volume, "name")))
	}
	for _, container := range list(at(pod, "containers")) {
		checkCommand(t, path, texts(at(container, "command")))
		for _, mount := range list(at(container, "volumeMounts")) {
			mounted = append(mounted, fmt.Sprint(at(mount, "name")))
		}
	}
	slices.Sort(volumes)
	slices.Sort(mounted)
	if mounted = slices.Compact(mounted); !slices.Equal(volumes, mounted) {
		t.Errorf("%s: volumes %v, mounted %v", path, volumes, mounted)
	}
}

// The image is built with the Go that go.mod asks for, by way of what make does everywhere.
func TestContainerfile(t *testing.T) {
	content := string(read(t, filepath.Join(directory, "Containerfile")))
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(read(t, "../../go.mod")))
	for _, want := range []string{
		"FROM golang:" + version[1] + "-alpine AS builder\n", "RUN go mod download\n", "RUN make build",
		"FROM alpine:3.21\n", "RUN apk add --no-cache ca-certificates curl bash\n", "RUN zester install --symlinks /usr/local/bin\n", "ENTRYPOINT []\n",
	} {
		if !strings.Contains(content, want) {
			t.Errorf("the Containerfile lacks %q", want)
		}
	}
	for line := range strings.Lines(content) {
		if command, ok := strings.CutPrefix(line, "RUN zester "); ok {
			checkCommand(t, "Containerfile", append([]string{"zester"}, strings.Fields(command)...))
		}
	}
}
