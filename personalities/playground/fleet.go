package playground

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/observe"
	"github.com/ptorbus/zester/core/server"
	"github.com/ptorbus/zester/personalities/bootstrap"
	"github.com/ptorbus/zester/personalities/peel"
)

// fleet is a running playground.
type fleet struct {
	session *session
	dir     string
	self    string // this binary
	log     *slog.Logger
	nats    *server.Server
	enroll  string // address of the enrollment API
	failed  chan error
	fresh   bool // the directory was empty

	patience time.Duration // with all that is waited for

	ctx     context.Context // of what runs in this process
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	master *exec.Cmd
	done   chan struct{} // the master has exited
}

// start brings up NATS and a master in dir, which may hold an earlier playground.
func start(s *session, dir string) (*fleet, error) {
	log, err := observe.Logger(s.logLevel, "text", s.stdio.Err)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f := &fleet{session: s, dir: dir, self: self, log: log, failed: make(chan error, 1), patience: startTimeout}
	f.ctx, f.cancel = context.WithCancel(s.ctx)
	h, err := f.hierarchy()
	if err != nil {
		return nil, err
	}
	if f.nats, err = server.Start(server.Options{Hierarchy: h, Dir: f.path("nats"), Name: "playground", Port: -1, TLS: true, Log: log}); err != nil {
		return nil, err
	}
	if err := f.configure(); err != nil {
		f.stop()
		return nil, err
	}
	if err := f.startMaster(); err != nil {
		f.stop()
		return nil, err
	}
	return f, nil
}

func (f *fleet) path(parts ...string) string {
	return filepath.Join(append([]string{f.dir}, parts...)...)
}

func (f *fleet) clientConfig() string { return f.path("client.yaml") }

// hierarchy is the directory's, made at first use together with the sample trees.
func (f *fleet) hierarchy() (*keys.Hierarchy, error) {
	h, err := keys.LoadHierarchy(f.path("auth"), "playground")
	if !errors.Is(err, fs.ErrNotExist) {
		return h, err
	}
	f.fresh = true
	if h, err = keys.NewHierarchy("playground"); err != nil {
		return nil, err
	}
	hosts := []string{"localhost", "127.0.0.1"}
	if err := h.Write(f.path("auth"), keys.BootstrapOptions{ResolverDir: f.path("nats", "accounts"), EnrollHosts: hosts, NATSHosts: hosts}); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(f.path("nats"), 0o700); err != nil {
		return nil, err
	}
	return h, bootstrap.WriteSamples(f.dir)
}

// configure writes the configuration files of the master and the client.
func (f *fleet) configure() error {
	port, release, err := server.FreePort() // for the master, which runs as a process of its own
	if err != nil {
		return err
	}
	context.AfterFunc(f.ctx, release)
	f.enroll = fmt.Sprintf("127.0.0.1:%d", port)
	common := map[string]any{"nats_url": f.nats.URL(), "nats_ca": f.nats.CA(), "auth_dir": f.path("auth")}
	master := map[string]any{
		"enroll_addr": f.enroll, "enroll_tls_cert": f.path("auth", "enroll.crt"), "enroll_tls_key": f.path("auth", "enroll.key"),
		"states_dir": f.path("states"), "settings_dir": f.path("settings"), "state_dir": f.path("master"),
		"metrics_addr": "", "log_level": f.session.logLevel, "log_format": "text",
	}
	for k, v := range common {
		master[k] = v
	}
	return errors.Join(writeYAML(f.path("master.yaml"), master), writeYAML(f.clientConfig(), common))
}

func writeYAML(path string, v any) error {
	data, err := yaml.Marshal(v)
	if err != nil {
		return err
	}
	return config.WriteFile(path, data, 0o600)
}

// addPeel writes a peel's configuration and starts it; it enrolls if it has no credentials.
func (f *fleet) addPeel(id string) error {
	dir := f.path("peels", id)
	root := filepath.Join(dir, "root")
	for _, d := range []string{root, filepath.Join(dir, "facts"), filepath.Join(dir, "auth"), filepath.Join(dir, "state")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	facts := map[string]any{"role": role(id), "playground_root": root, "custom": map[string]any{"app_version": "2.1.0"}}
	if err := writeYAML(filepath.Join(dir, "facts", "playground.yaml"), facts); err != nil {
		return err
	}
	c := peel.Config{
		ID: id, NATSURL: f.nats.URL(), NATSCA: f.nats.CA(), MasterURL: "https://" + f.enroll, EnrollCA: f.path("auth", "enroll-ca.crt"),
		AuthDir: filepath.Join(dir, "auth"), FactsDir: filepath.Join(dir, "facts"), FactsInterval: 5 * time.Minute, StateDir: filepath.Join(dir, "state"),
		LogLevel: f.session.logLevel, LogFormat: "text",
		Basket: map[string]any{"custom.app_version": map[string]any{"interval": "1h"}},
	}
	if err := c.Validate(); err != nil {
		return err
	}
	f.running.Go(func() {
		err := peel.Serve(f.ctx, c, peel.Options{Version: f.session.version, Log: f.log.With("peel", id), Confine: root})
		if err != nil && f.ctx.Err() == nil {
			select {
			case f.failed <- fmt.Errorf("peel %s: %w", id, err):
			default:
			}
		}
	})
	return nil
}

// client runs the command line as a user would and returns all it printed; what hangs is interrupted, to be asked again.
func (f *fleet) client(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var out bytes.Buffer
	err := f.clientTo(ctx, &out, args...)
	return out.String(), err
}

func (f *fleet) clientTo(ctx context.Context, out io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, f.self, args...)
	cmd.Env = append(f.plainEnvironment(), "ZESTER_CONFIG="+f.clientConfig())
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute // a busy machine may take a while to interrupt it
	return cmd.Run()
}

// plainEnvironment is the environment without the user's own Zester settings.
func (f *fleet) plainEnvironment() []string {
	var env []string
	for _, e := range f.session.environ {
		if !strings.HasPrefix(e, "ZESTER_") {
			env = append(env, e)
		}
	}
	return env
}

// stop takes everything down; files stay.
func (f *fleet) stop() {
	f.cancel()
	f.running.Wait()
	f.stopMaster()
	f.nats.Shutdown()
}
