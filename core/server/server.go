package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/conf"
	nats "github.com/nats-io/nats-server/v2/server"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/keys"
)

// Options say what Start is to serve.
type Options struct {
	Hierarchy *keys.Hierarchy
	Dir       string // for JetStream, accounts' JWTs and certificates; it must exist
	Name      string // of the server; unique in a cluster
	Host      string // "127.0.0.1" if empty
	Port      int    // 4222 if 0; -1 takes a free one
	Monitor   int    // port of NATS' own monitoring pages; 0: none

	// TLS serves with a certificate for Host, localhost and Hosts, by an authority made for
	// the purpose and kept in Dir; see Server.CA. AllowNonTLS leaves TLS to the client.
	TLS         bool
	AllowNonTLS bool
	Hosts       []string

	Cluster     string   // name of the cluster; "": a single server
	ClusterPort int      // for the other servers
	Routes      []string // nats-route:// URLs of the others

	Log *slog.Logger
}

// Server is a running NATS server.
type Server struct {
	ns *nats.Server
	ca string
}

// maxStore is what JetStream may use in total. The limits of Zester's buckets and streams,
// which the server reserves, add up to less.
const maxStore = "16GB"

// Start serves a hierarchy in this process, in operator mode with a full resolver, and returns
// when clients can connect.
func Start(o Options) (*Server, error) {
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	c := keys.ServerConfig{
		Name: o.Name, Host: o.Host, Port: o.Port, Monitor: o.Monitor, AllowNonTLS: o.AllowNonTLS,
		StoreDir: o.Dir, MaxStore: maxStore, ResolverDir: filepath.Join(o.Dir, "accounts"),
		Cluster: o.Cluster, ClusterHost: o.Host, ClusterPort: o.ClusterPort, Routes: o.Routes,
	}
	s := &Server{}
	if o.TLS {
		if err := s.certificate(o, &c); err != nil {
			return nil, fmt.Errorf("nats: %w", err)
		}
	}
	if err := announce(o.Dir, o.Hierarchy.CoreAccount()); err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	text, err := o.Hierarchy.ServerConfig(c)
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	opts := &nats.Options{}
	if err := opts.ProcessConfigString(text); err != nil {
		return nil, fmt.Errorf("nats: %s", oneLine(err))
	}
	s.ns, err = start(opts, newLogger(o.Log))
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	return s, nil
}

// announce has the server set up an account at its start, by a directory of the account that is not empty. Of an account that it
// has stored nothing for it hears with the first requests; it then tries a directory out beside them, and takes it away with
// whatever streams have put there meanwhile.
func announce(dir, account string) error {
	dir = filepath.Join(dir, nats.JetStreamStoreDir, account)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "account"), nil, 0o600)
}

// announceAll announces the accounts that a configuration file brings along for its resolver. Those of an accounts block need
// none of it, and of those that only a resolver knows nobody can tell.
func announceAll(file string, opts *nats.Options) error {
	if !opts.JetStream || opts.StoreDir == "" {
		return nil
	}
	settings, err := conf.ParseFile(file)
	if err != nil {
		return err
	}
	for key, value := range settings {
		accounts, ok := value.(map[string]any)
		if !ok || !strings.EqualFold(key, "resolver_preload") {
			continue
		}
		for account := range accounts {
			if account == opts.SystemAccount { // it has no JetStream
				continue
			}
			if err := announce(opts.StoreDir, account); err != nil {
				return err
			}
		}
	}
	return nil
}

// certificate makes the TLS files in the server's directory unless they are there.
func (s *Server) certificate(o Options, c *keys.ServerConfig) error {
	s.ca, c.Cert, c.Key = filepath.Join(o.Dir, "nats-ca.crt"), filepath.Join(o.Dir, "nats.crt"), filepath.Join(o.Dir, "nats.key")
	if _, err := os.Stat(c.Key); err == nil {
		return nil
	}
	ca, err := keys.NewCA("zester nats")
	if err != nil {
		return err
	}
	cert, key, err := ca.Issue(append([]string{o.Host, "localhost"}, o.Hosts...))
	if err != nil {
		return err
	}
	return errors.Join(config.WriteFile(s.ca, ca.Cert(), 0o644), config.WriteFile(c.Cert, cert, 0o644), config.WriteFile(c.Key, key, 0o600))
}

// URL is where clients connect.
func (s *Server) URL() string { return s.ns.ClientURL() }

// CA is the file of the authority that signed the server's certificate, "" without TLS.
func (s *Server) CA() string { return s.ca }

// Shutdown ends the server and returns when it has written everything to disk.
func (s *Server) Shutdown() {
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
}

// startTimeout is how long a server may take to listen: it reads its store first.
const startTimeout = 2 * time.Minute

// start runs a server and returns when it takes connections.
func start(opts *nats.Options, log *logger) (*nats.Server, error) {
	opts.NoSigs = true
	opts.DisableJetStreamBanner = true
	if err := portFree(opts.Host, opts.Port); err != nil {
		return nil, err
	}
	ns, err := nats.NewServer(opts)
	if err != nil {
		return nil, errors.New(oneLine(err))
	}
	ns.SetLoggerV2(log, opts.Debug, opts.Trace, opts.TraceVerbose)
	go ns.Start()
	ready := make(chan bool, 1)
	go func() { ready <- ns.ReadyForConnections(startTimeout) }()
	var problem string
	select {
	case problem = <-log.fatal:
	case ok := <-ready:
		if ok {
			return ns, nil
		}
		problem = fmt.Sprintf("not ready after %s", startTimeout)
	}
	ns.Shutdown()
	return nil, errors.New(problem)
}

// portFree finds out early, and with a better message, that somebody else has the port.
func portFree(host string, port int) error {
	if port <= 0 {
		return nil
	}
	address := net.JoinHostPort(host, strconv.Itoa(port))
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("port %s is taken: stop what listens there, or choose another port", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("port %s: permission denied: choose one above 1023", address)
	case err != nil:
		return err
	}
	return l.Close()
}

// Run serves a configuration file of nats-server's format until the context ends, then shuts
// the server down in order. Its errors are one line and name the file.
func Run(ctx context.Context, configFile string, log *slog.Logger) error {
	opts, err := load(configFile)
	if err != nil {
		return err
	}
	if err := announceAll(configFile, opts); err != nil {
		return fmt.Errorf("%s: %w", configFile, err)
	}
	l := newLogger(log)
	ns, err := start(opts, l)
	if err != nil {
		return fmt.Errorf("%s: %w", configFile, err)
	}
	defer ns.WaitForShutdown()
	defer ns.Shutdown()
	select {
	case <-ctx.Done():
		return nil
	case problem := <-l.fatal:
		return fmt.Errorf("%s: %s", configFile, problem)
	}
}

func load(file string) (*nats.Options, error) {
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("nats configuration: %w: \"zester bootstrap\" or \"playground-init\" writes one", err)
	}
	opts, err := nats.ProcessConfigFile(file)
	if err != nil {
		text := oneLine(err)
		if !strings.HasPrefix(text, file) {
			text = file + ": " + text
		}
		return nil, errors.New(text)
	}
	switch {
	case opts.LogFile != "" || opts.Syslog || opts.RemoteSyslog != "":
		return nil, fmt.Errorf("%s: log_file and syslog are nats-server's own: remove them, this server logs to standard error", file)
	case opts.JetStream && opts.JetStreamLimits.DefaultMaxConsumers == 0:
		opts.JetStreamLimits.DefaultMaxConsumers = -1
	}
	return opts, nil
}

// oneLine is nats-server's list of errors as one line.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }), "; ")
}
