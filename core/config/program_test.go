package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// masterSettings and peelSettings have the flags and defaults of the real programs.
type masterSettings struct {
	NATSURL       string `name:"nats-url" default:"nats://nats:4222" help:"NATS server URL."`
	EnrollAddr    string `default:":8443" help:"Enrollment HTTP API listen address."`
	EnrollTLSCert string `name:"enroll-tls-cert" default:"/data/auth/enroll.crt" help:"TLS certificate for the enrollment API."`
	EnrollTLSKey  string `name:"enroll-tls-key" default:"/data/auth/enroll.key" help:"TLS private key for the enrollment API."`
	AuthDir       string `default:"/data/auth" help:"Directory of credentials."`
	StateDir      string `default:"/var/lib/zester" help:"State directory."`
	LogLevel      string `default:"info" help:"debug, info, warn or error."`
	LogFormat     string `default:"json" enum:"json,text" help:"json or text."`

	Groups map[string]string `kong:"-" yaml:"groups"`
}

type basketFunction struct {
	Function string        `yaml:"function"`
	Interval time.Duration `yaml:"interval"`
	Args     []string      `yaml:"args"`
}

type peelSettings struct {
	ID        string        `name:"id" required:"" help:"Peel identifier."`
	NATSURL   string        `name:"nats-url" default:"nats://nats:4222" help:"NATS server URL."`
	MasterURL string        `name:"master-url" help:"Master enrollment API URL."`
	LogLevel  string        `default:"info" help:"debug, info, warn or error."`
	LogFormat string        `default:"json" enum:"json,text" help:"json or text."`
	Timeout   time.Duration `default:"5s" help:"How long to wait."`
	Workers   int           `default:"4" help:"How many at once."`
	Offline   bool          `help:"Do not connect."`
	FactsDirs []string      `default:"/etc/zester/facts" help:"Where custom facts are."`
	Once      bool          `config:"-" help:"Stop after the first run."`

	Basket []basketFunction `kong:"-" yaml:"basket"`
	Facts  map[string]any   `kong:"-" yaml:"facts"`
}

func (p *peelSettings) Validate() error {
	if p.LogLevel == "loud" {
		return Invalid("log_level", "unknown level %q", p.LogLevel)
	}
	for i, function := range p.Basket {
		if function.Function == "" {
			return Invalid("basket", "entry %d has no function", i)
		}
	}
	return nil
}

// world is what one program run sees.
type world struct {
	dir  string
	file string
	out  bytes.Buffer
	err  bytes.Buffer
}

func newWorld(t *testing.T, content string) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	w.file = filepath.Join(w.dir, "peel.yaml")
	if content != "" {
		if err := os.WriteFile(w.file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) program() Program {
	return Program{Name: "zester-peel", Description: "The agent.", Version: "1.2.3", Files: []string{w.file}}
}

func (w *world) parse(dst any, environ []string, args ...string) (*Invocation, error) {
	return Parse(w.program(), dst, args, environ, Stdio{Out: &w.out, Err: &w.err})
}

func TestParseDefaults(t *testing.T) {
	w := newWorld(t, "")
	var master masterSettings
	invocation, err := w.parse(&master, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := masterSettings{
		NATSURL: "nats://nats:4222", EnrollAddr: ":8443", EnrollTLSCert: "/data/auth/enroll.crt", EnrollTLSKey: "/data/auth/enroll.key",
		AuthDir: "/data/auth", StateDir: "/var/lib/zester", LogLevel: "info", LogFormat: "json",
	}
	if !reflect.DeepEqual(master, want) {
		t.Errorf("defaults = %+v", master)
	}
	if invocation.File() != "" || invocation.Source("nats_url") != "default" || invocation.Command() != "" {
		t.Errorf("file %q, source %q, command %q", invocation.File(), invocation.Source("nats_url"), invocation.Command())
	}
}

func TestParsePrecedence(t *testing.T) {
	w := newWorld(t, `
id: 007            # keeps its spelling
nats_url: from-file
master_url: from-file
timeout: 1m
workers: 0x10
facts_dirs: [/a, "/b,c"]
log_level: ~       # says nothing
basket:
  - function: network.ip_addrs
    interval: 5m
  - {function: disk.usage, args: [/]}
facts: {role: web, weight: 3}
`)
	var peel peelSettings
	invocation, err := w.parse(&peel, []string{
		"ZESTER_NATS_URL=shadowed", "ZESTER_NATS_URL=from-env", "ZESTER_MASTER_URL=from-env", "ZESTER_OFFLINE=true",
		"ZESTER_ENROLL_ADDR=belongs to the master", "ZESTER_BASKET=file only", "ZESTER_ONCE=nonsense", "zester_workers=9", "HOME=/nowhere",
	}, "--master-url", "from-flag", "--once")
	if err != nil {
		t.Fatal(err)
	}
	want := peelSettings{
		ID: "007", NATSURL: "from-env", MasterURL: "from-flag", LogLevel: "info", LogFormat: "json", Timeout: time.Minute, Workers: 16,
		Offline: true, FactsDirs: []string{"/a", "/b,c"}, Once: true,
		Basket: []basketFunction{{Function: "network.ip_addrs", Interval: 5 * time.Minute}, {Function: "disk.usage", Args: []string{"/"}}},
		Facts:  map[string]any{"role": "web", "weight": 3},
	}
	if !reflect.DeepEqual(peel, want) {
		t.Errorf("got  %+v\nwant %+v", peel, want)
	}
	for setting, source := range map[string]string{
		"id": w.file + ":2", "nats-url": "ZESTER_NATS_URL", "--master-url": "--master-url", "log_level": "default", "basket": w.file + ":9",
	} {
		if got := invocation.Source(setting); got != source {
			t.Errorf("Source(%q) = %q, want %q", setting, got, source)
		}
	}
	if invocation.File() != w.file {
		t.Errorf("File() = %q", invocation.File())
	}
}

func TestParseEmptyVariableCounts(t *testing.T) {
	w := newWorld(t, "nats_url: from-file\n")
	var master masterSettings
	if _, err := w.parse(&master, []string{"ZESTER_NATS_URL=", "ZESTER_CONFIG="}); err != nil || master.NATSURL != "" {
		t.Errorf("nats url = %q, %v", master.NATSURL, err)
	}
}

func TestParseFindsFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, id string) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("auth_dir: "+id+"\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	etc := write("etc/master.yaml", "etc")
	home := []string{"HOME=" + filepath.Join(dir, "home")}
	named := write("named.yaml", "named")
	other := write("other.yaml", "other")
	program := Program{Name: "zester", Files: []string{"~/.zester/config.yaml", etc}}
	check := func(want string, environ []string, args ...string) {
		t.Helper()
		var master masterSettings
		if _, err := Parse(program, &master, args, environ, Stdio{}); err != nil || master.AuthDir != want {
			t.Errorf("read %q, %v, want %q", master.AuthDir, err, want)
		}
	}
	check("etc", home)
	write("home/.zester/config.yaml", "home")
	check("home", home)
	check("etc", nil) // no home at all
	check("named", append(home, "ZESTER_CONFIG="+named))
	check("other", append(home, "ZESTER_CONFIG="+named), "--config", other)
}

func TestParseKnownStructs(t *testing.T) {
	w := newWorld(t, "enroll_addr: :9443\ngroups: {web: 'web-*'}\ntarget_format: json\n")
	type clientSettings struct {
		TargetFormat string
	}
	program := w.program()
	program.Known = []any{masterSettings{}, &peelSettings{}}
	var client clientSettings
	if _, err := Parse(program, &client, nil, nil, Stdio{}); err != nil || client.TargetFormat != "json" {
		t.Errorf("got %+v, %v", client, err)
	}
	program.Known = []any{peelSettings{}}
	want := fmt.Sprintf(`%s:1: unknown key "enroll_addr" (see "zester-peel --help")`, w.file)
	if _, err := Parse(program, &client, nil, nil, Stdio{}); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestParseVars(t *testing.T) {
	program := Program{Name: "zester playground", Vars: map[string]string{"peels": "web-01,lb-01"}}
	var settings struct {
		Peels []string `default:"${peels}" help:"Default ${default}."`
	}
	if _, err := Parse(program, &settings, nil, nil, Stdio{}); err != nil || !slices.Equal(settings.Peels, []string{"web-01", "lb-01"}) {
		t.Errorf("peels = %q, %v", settings.Peels, err)
	}
}

func TestParseIgnoresKongEnvironment(t *testing.T) {
	t.Setenv("ZESTER_NATS_URL", "the process's own environment is not a parameter")
	w := newWorld(t, "")
	var master masterSettings
	if _, err := w.parse(&master, nil); err != nil || master.NATSURL != "nats://nats:4222" {
		t.Errorf("nats url = %q, %v", master.NATSURL, err)
	}
}

// The client's shape: settings at the root, subcommands, and a default command for everything else.
type clientCLI struct {
	clientSettings `embed:""`

	Run    runCommand `cmd:"" default:"withargs" hidden:"" help:"Run a function."`
	Enroll struct {
		List    listCommand `cmd:"" help:"List enrollments."`
		Approve struct {
			All bool     `help:"Approve all."`
			IDs []string `arg:"" optional:"" name:"id"`
		} `cmd:"" help:"Approve enrollments."`
	} `cmd:"" help:"Enrollments."`
	Basket struct {
		Get struct {
			Target   string `arg:""`
			Function string `arg:""`
		} `cmd:"" help:"Show shared data."`
	} `cmd:"" help:"Shared data."`
}

type clientSettings struct {
	NATSURL string            `name:"nats-url" default:"nats://nats:4222" help:"NATS server URL."`
	Timeout time.Duration     `default:"30s" help:"How long to wait."`
	Groups  map[string]string `kong:"-" yaml:"groups"`
}

type listCommand struct {
	Timeout time.Duration `name:"list-timeout" default:"1s"`
	Verbose bool
}

func (l *listCommand) Run(seen *[]string, cli *clientCLI) error {
	*seen = append(*seen, "list", cli.Timeout.String())
	return nil
}

type runCommand struct {
	Target   string   `arg:""`
	Function string   `arg:""`
	Args     []string `arg:"" optional:"" passthrough:""`
}

func (r *runCommand) Run(seen *[]string) error {
	*seen = append(*seen, r.Target, r.Function)
	*seen = append(*seen, r.Args...)
	return nil
}

func TestParseSubcommands(t *testing.T) {
	w := newWorld(t, "timeout: 7s\ngroups: {a: b}\n")
	program := w.program()
	program.Name = "zester"
	for _, c := range []struct {
		args    []string
		command string
		seen    []string
	}{
		{[]string{"enroll", "list"}, "enroll list", []string{"list", "7s"}},
		{[]string{"--timeout", "2s", "enroll", "list", "--list-timeout=9s"}, "enroll list", []string{"list", "2s"}},
		{[]string{"web-*", "test.ping"}, "run", []string{"web-*", "test.ping"}},
		{[]string{"--timeout=1s", "*", "cmd.run", "ls -l", "--shell", "x=--y"}, "run", []string{"*", "cmd.run", "ls -l", "--shell", "x=--y"}},
	} {
		var cli clientCLI
		invocation, err := Parse(program, &cli, c.args, []string{"ZESTER_LIST_TIMEOUT=nonsense", "ZESTER_ALL=x"}, Stdio{})
		if err != nil {
			t.Errorf("%q: %v", c.args, err)
			continue
		}
		var seen []string
		if err := invocation.Run(&seen); err != nil || !slices.Equal(seen, c.seen) || invocation.Command() != c.command {
			t.Errorf("%q: ran %q, %q, %v", c.args, invocation.Command(), seen, err)
		}
		if cli.Groups["a"] != "b" {
			t.Errorf("groups = %v", cli.Groups)
		}
	}
}

func TestParseHelpAndVersion(t *testing.T) {
	// Help comes although the file is broken and the id is missing.
	w := newWorld(t, ":broken")
	var peel peelSettings
	if _, err := w.parse(&peel, nil, "--help"); !errors.Is(err, ErrDone) {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Usage: zester-peel --id=STRING [flags]", "The agent.", "NATS server URL.", `--nats-url="nats://nats:4222"`,
		"--config=FILE", "instead of " + w.file, "Print the version and exit.",
		`Each flag can be a key of the configuration file or a variable too: --id is "id" or ZESTER_ID.`,
		"Keys for the file only: basket, facts.",
	} {
		if got := strings.Join(strings.Fields(w.out.String()), " "); !strings.Contains(got, strings.Join(strings.Fields(want), " ")) {
			t.Errorf("help lacks %q:\n%s", want, w.out.String())
		}
	}
	w.out.Reset()
	if _, err := w.parse(&peel, nil, "--version"); !errors.Is(err, ErrDone) || w.out.String() != "zester-peel 1.2.3\n" {
		t.Errorf("version = %q, %v", w.out.String(), err)
	}
	program := w.program()
	program.Name = "zester"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--help"}, "Usage: zester <command> [flags]"},
		{[]string{"enroll", "--help"}, "Usage: zester enroll <command> [flags]"},
		{[]string{"basket", "get", "--help"}, "Usage: zester basket get <target> <function>"},
	} {
		w.out.Reset()
		var cli clientCLI
		if _, err := Parse(program, &cli, c.args, nil, Stdio{Out: &w.out}); !errors.Is(err, ErrDone) || !strings.HasPrefix(w.out.String(), c.want) {
			t.Errorf("%q: %v\n%s", c.args, err, w.out.String())
		}
	}
	if w.err.Len() != 0 {
		t.Errorf("stderr: %s", w.err.String())
	}
}
