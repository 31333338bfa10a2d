package keys

import (
	"fmt"
	"strconv"
	"strings"
)

// ServerConfig describes a NATS server's configuration.
type ServerConfig struct {
	Name string // of the server; unique in a cluster
	Host string // address to listen on; "" is all
	Port int    // 4222 if 0; -1 takes a free one

	Cert, Key   string // TLS certificate and key files; both empty: no TLS
	AllowNonTLS bool   // TLS for those who want it

	StoreDir    string // of JetStream
	MaxStore    string // bytes JetStream may use, as "8GB"; "" leaves it to the server
	ResolverDir string // of the accounts' JWTs; it belongs to this server alone

	Monitor int // port of NATS' own monitoring pages; 0: none

	Cluster     string   // name of the cluster; "": a single server
	ClusterHost string   // address for the other servers; "" is all
	ClusterPort int      // 4223 if 0
	Routes      []string // nats-route:// URLs of the others
}

// Resolver renders the part of a server's configuration that makes it trust this hierarchy:
// the operator, and the accounts in a full resolver, which takes later changes to them.
func (h *Hierarchy) Resolver(dir string) (string, error) {
	operator, err := h.OperatorJWT()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "operator: %s\nsystem_account: %s\n\n", operator, h.system.public)
	// The timeout is of asking the other servers for an account nobody knows. It must end before
	// the 2 s that a client has to authenticate, for the client to be told the right thing.
	fmt.Fprintf(&b, "resolver {\n  type: full\n  dir: %s\n  allow_delete: false\n  interval: \"2m\"\n  timeout: \"1s\"\n}\n\n", quote(dir))
	b.WriteString("resolver_preload {\n")
	for _, a := range []struct {
		name, public string
		token        func() (string, error)
	}{
		{"SYS", h.system.public, h.SystemJWT},
		{"CORE", h.core.public, h.CoreJWT},
		{"PEELS", h.peels.public, h.PeelsJWT},
	} {
		token, err := a.token()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "  # %s\n  %s: %s\n", a.name, a.public, token)
	}
	b.WriteString("}\n")
	return b.String(), nil
}

// ServerConfig renders a complete configuration for nats-server, or for "zester nats -c".
func (h *Hierarchy) ServerConfig(c ServerConfig) (string, error) {
	resolver, err := h.Resolver(c.ResolverDir)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if c.Name != "" {
		fmt.Fprintf(&b, "server_name: %s\n", quote(c.Name))
	}
	if c.Host != "" {
		fmt.Fprintf(&b, "host: %s\n", quote(c.Host))
	}
	fmt.Fprintf(&b, "port: %d\n", or(c.Port, 4222))
	if c.Monitor != 0 {
		fmt.Fprintf(&b, "http: %s\n", quote("127.0.0.1:"+strconv.Itoa(c.Monitor)))
	}
	if c.Cert != "" {
		fmt.Fprintf(&b, "\ntls {\n  cert_file: %s\n  key_file: %s\n}\n", quote(c.Cert), quote(c.Key))
	}
	if c.AllowNonTLS {
		b.WriteString("allow_non_tls: true\n")
	}
	fmt.Fprintf(&b, "\njetstream {\n  store_dir: %s\n", quote(c.StoreDir))
	if c.MaxStore != "" {
		fmt.Fprintf(&b, "  max_file_store: %s\n", c.MaxStore)
	}
	// The server's own limit of 1000 is less than a fleet's followers may need.
	b.WriteString("  limits { default_max_consumers: -1 }\n}\n")
	if c.Cluster != "" {
		fmt.Fprintf(&b, "\ncluster {\n  name: %s\n", quote(c.Cluster))
		if c.ClusterHost != "" {
			fmt.Fprintf(&b, "  host: %s\n", quote(c.ClusterHost))
		}
		fmt.Fprintf(&b, "  port: %d\n  routes: [\n", or(c.ClusterPort, 4223))
		for _, r := range c.Routes {
			fmt.Fprintf(&b, "    %s\n", quote(r))
		}
		b.WriteString("  ]\n}\n")
	}
	return b.String() + "\n" + resolver, nil
}

func or(n, instead int) int {
	if n == 0 {
		return instead
	}
	return n
}

// quote writes a string as the configuration's grammar reads it back: in double quotes, with
// the escapes that it knows.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}
