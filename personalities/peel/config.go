package peel

import (
	"path/filepath"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
)

// Config is a peel's configuration: flags, keys of peel.yaml and ZESTER_ variables alike.
type Config struct {
	ID        string `name:"id" required:"" placeholder:"ID" help:"Peel identifier."`
	NATSURL   string `name:"nats-url" default:"nats://nats:4222" help:"NATS server URL."`
	NATSCA    string `name:"nats-ca" placeholder:"FILE" help:"CA certificate of the NATS server; naming one insists on TLS."`
	MasterURL string `name:"master-url" placeholder:"URL" help:"Master enrollment API URL; without it the peel needs credentials already."`
	EnrollCA  string `placeholder:"FILE" help:"CA certificate for enrollment TLS; default the system's."`
	AuthDir   string `default:"/data/auth" help:"Where the peel's credentials are kept."`

	FactsDir      string        `default:"/etc/zester/facts" help:"Custom facts: YAML and JSON files, and programs that print them."`
	FactsInterval time.Duration `default:"5m" help:"How often facts are collected again."`

	Saltenv string `name:"saltenv" placeholder:"NAME" help:"Environment of state runs that name none; default all for the highstate, and base."`

	MetricsAddr string `default:"127.0.0.1:9090" help:"Where /healthz, /readyz and /metrics are served; empty for nowhere."`
	StateDir    string `default:"/var/lib/zester" help:"State directory: journal, outbox, caches."`
	LogLevel    string `default:"info" help:"debug, info, warn or error."`
	LogFormat   string `default:"json" help:"json or text."`

	// Basket is what this peel shares; in the file only. See core/basket for its forms.
	Basket any `kong:"-" yaml:"basket"`
}

// Validate checks what the peel's id and files are made of.
func (c *Config) Validate() error {
	if err := bus.CheckPeelID(c.ID); err != nil {
		return config.Invalid("id", "%w", err)
	}
	if err := bus.CheckURL(c.NATSURL); err != nil {
		return config.Invalid("nats_url", "%w", err)
	}
	return nil
}

func (c *Config) credsFile() string { return filepath.Join(c.AuthDir, c.ID+".creds") }

// seedFile holds the identity while enrollment is under way.
func (c *Config) seedFile() string { return filepath.Join(c.AuthDir, c.ID+".seed") }
