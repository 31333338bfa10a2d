package master

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/jobs"
)

// Config is a master's configuration: flags, keys of master.yaml and ZESTER_ variables alike.
type Config struct {
	NATSURL string `name:"nats-url" default:"nats://nats:4222" help:"NATS server URL."`
	NATSCA  string `name:"nats-ca" placeholder:"FILE" help:"CA certificate of the NATS server; naming one insists on TLS."`
	AuthDir string `default:"/data/auth" help:"Where master.creds and account.seed are."`

	EnrollAddr    string `default:":8443" help:"Enrollment HTTP API listen address."`
	EnrollTLSCert string `name:"enroll-tls-cert" default:"/data/auth/enroll.crt" help:"TLS certificate for enrollment API."`
	EnrollTLSKey  string `name:"enroll-tls-key" default:"/data/auth/enroll.key" help:"TLS private key for enrollment API."`

	StatesDir    string        `placeholder:"DIR" help:"State tree; default the first of /srv/zester/states and /data/states that exists."`
	SettingsDir  string        `placeholder:"DIR" help:"Settings tree; default the first of /srv/zester/settings and /data/settings that exists."`
	PeelJWTLife  time.Duration `name:"peel-jwt-life" default:"8760h" help:"How long the credentials of an enrolled peel are valid."`
	ForcePublish bool          `help:"Publish this master's trees even where the published ones are newer."`
	NATSWait     time.Duration `name:"nats-wait" default:"10s" help:"How long to wait for NATS at the start."`
	JobsKept     time.Duration `default:"168h" help:"How long jobs and their returns are kept; the master that starts last decides."`
	Replicas     int           `default:"1" help:"Copies of every bucket and stream in a NATS cluster."`

	MetricsAddr string `default:"127.0.0.1:9091" help:"Where /healthz, /readyz and /metrics are served; empty for nowhere."`
	StateDir    string `default:"/var/lib/zester" help:"State directory; a master keeps nothing in it."`
	LogLevel    string `default:"info" help:"debug, info, warn or error."`
	LogFormat   string `default:"json" help:"json or text."`

	// Environments are the directories of environments that do not stand in the state tree or the settings tree as @NAME,
	// by name; in the file only.
	Environments         map[string]string `kong:"-" yaml:"environments"`
	SettingsEnvironments map[string]string `kong:"-" yaml:"settings_environments"`

	// Groups are named targets for N@name; in the file only.
	Groups map[string]string `kong:"-" yaml:"groups"`
	// Operators are what holds for operators' jobs that do not say it themselves; in the file only.
	Operators map[string]Operator `kong:"-" yaml:"operators"`
}

// Operator is what holds for an operator's jobs that do not say it themselves.
type Operator struct {
	WhenOffline string        `yaml:"when_offline"` // skip or wait
	Expires     time.Duration `yaml:"expires"`
}

func (o Operator) check() error {
	switch {
	case o.WhenOffline != "skip" && o.WhenOffline != "wait":
		return fmt.Errorf("when_offline %q: want skip or wait", o.WhenOffline)
	case o.Expires < 0 || o.Expires > jobs.MaxExpires:
		return fmt.Errorf("expires %s: use more than 0 and at most %s", o.Expires, jobs.MaxExpires)
	case o.Expires != 0 && o.WhenOffline != "wait":
		return fmt.Errorf("expires %s: only jobs that wait expire, and these skip", o.Expires)
	}
	return nil
}

// jobDefaults are the operators' defaults as the dispatcher takes them.
func (c *Config) jobDefaults() map[string]jobs.Defaults {
	all := map[string]jobs.Defaults{}
	for name, o := range c.Operators {
		all[name] = jobs.Defaults{Wait: o.WhenOffline == "wait", Expires: o.Expires}
	}
	return all
}

// treeDir is the directory asked for, or the first usual one that exists; the seeds' packages
// use /srv/zester, their containers /data.
func treeDir(asked, name string) string {
	if asked != "" {
		return asked
	}
	usual := []string{"/srv/zester/" + name, "/data/" + name}
	for _, dir := range usual {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
	}
	return usual[0]
}

// Validate checks what no server need be asked about.
func (c *Config) Validate() error {
	if err := bus.CheckURL(c.NATSURL); err != nil {
		return config.Invalid("nats_url", "%w", err)
	}
	for key, environments := range map[string]map[string]string{"environments": c.Environments, "settings_environments": c.SettingsEnvironments} {
		for name := range environments {
			if err := files.CheckEnvironment(name); err != nil {
				return config.Invalid(key, "%w", err)
			}
			if name == files.Base {
				return config.Invalid(key, "%q is the tree itself: name its directory with states_dir or settings_dir", name)
			}
		}
	}
	if c.Replicas < 1 || c.Replicas > 5 {
		return config.Invalid("replicas", "%d copies: NATS keeps 1 to 5, and no more than it has servers", c.Replicas)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Operators)) {
		if err := c.Operators[name].check(); err != nil {
			return config.Invalid("operators", "%s: %w", name, err)
		}
	}
	return nil
}
