package server_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/server"
)

// buffer is a log that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func write(t *testing.T, dir, content string) string {
	t.Helper()
	path := filepath.Join(dir, "nats-server.conf")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func taken(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

// What bootstrap writes and ServerConfig renders serves a fleet, until the context ends.
func TestRunServesBootstrapsFiles(t *testing.T) {
	h, err := keys.NewHierarchy("fleet")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), `a "quoted" \directory`)
	err = h.Write(dir, keys.BootstrapOptions{ResolverDir: "unused", EnrollHosts: []string{"localhost"}, NATSHosts: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	port := server.TestPort(t)
	file := func(name string) string { return filepath.Join(dir, name) }
	conf, err := h.ServerConfig(keys.ServerConfig{
		Name: "n1", Host: "127.0.0.1", Port: port, Cert: file("nats.crt"), Key: file("nats.key"),
		StoreDir: file("store"), MaxStore: "16GB", ResolverDir: file("accounts"), Monitor: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var log buffer
	path, ended := write(t, dir, conf), make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, path, slog.New(slog.NewTextHandler(&log, nil)))
		cancel()
	}()
	for _, name := range []string{"master.creds", "admin.creds"} {
		creds, err := keys.ReadCreds(file(name))
		if err != nil {
			t.Fatal(err)
		}
		o := bus.Options{URL: fmt.Sprintf("nats://127.0.0.1:%d", port), CA: file("nats-ca.crt"), Wait: true}
		creds.Fill(&o)
		c, err := bus.Connect(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.WaitConnected(ctx); err != nil {
			t.Fatalf("%v: %v", err, <-ended)
		}
		if name == "master.creds" {
			err = c.Setup(t.Context(), 1)
		} else {
			_, err = c.GetMany(t.Context(), bus.BucketBasket, ">")
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(log.String(), "Server is ready") && time.Now().Before(deadline); {
		<-tick.C // it says so after it has begun to take connections
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, want := range []string{"Server is ready", `level=INFO`, "Initiating Shutdown"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
}

// What several masters create as soon as a new server takes connections is created at the first attempt, and stays.
func TestRunWithAFreshStore(t *testing.T) {
	t.Parallel()
	h, err := keys.NewHierarchy("fleet")
	if err != nil {
		t.Fatal(err)
	}
	creds, err := h.MasterCreds("master")
	if err != nil {
		t.Fatal(err)
	}
	port := server.TestPort(t)
	for range 5 {
		dir := t.TempDir()
		resolver, err := h.Resolver(filepath.Join(dir, "accounts"))
		if err != nil {
			t.Fatal(err)
		}
		path := write(t, dir, fmt.Sprintf("listen: 127.0.0.1:%d\njetstream { store_dir: %q }\ninclude resolver.conf\n", port, filepath.Join(dir, "store")))
		if err := os.WriteFile(filepath.Join(dir, "resolver.conf"), []byte(resolver), 0o600); err != nil {
			t.Fatal(err)
		}
		var log buffer
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- server.Run(ctx, path, slog.New(slog.NewTextHandler(&log, nil)))
			cancel()
		}()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				o := bus.Options{URL: fmt.Sprintf("nats://127.0.0.1:%d", port), Wait: true}
				creds.Fill(&o)
				c, err := bus.Connect(t.Context(), o)
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				if err := c.WaitConnected(ctx); err != nil {
					t.Error(err)
					return
				}
				if err := c.Setup(t.Context(), 1); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if strings.Contains(log.String(), "create failed") {
			t.Fatal(log.String())
		}
		if streams, err := filepath.Glob(filepath.Join(dir, "store", "jetstream", "*", "streams", "*")); err != nil || len(streams) != 12 {
			t.Errorf("the store has %d streams: %q, %v", len(streams), streams, err)
		}
	}
}

func TestRunErrors(t *testing.T) {
	port := taken(t)
	for _, tt := range []struct{ name, conf, want string }{
		{"port taken", fmt.Sprintf("listen: 127.0.0.1:%d", port), fmt.Sprintf("FILE: port 127.0.0.1:%d is taken: stop what listens there, or choose another port", port)},
		{"unknown key", "prot: 4222", `FILE:1:0: unknown field "prot"`},
		{"wrong value", "port: -1\nmax_payload: {a: 1}", "FILE:2:"},
		{"broken", "port: [", "FILE: "},
		{"monitor port taken", fmt.Sprintf("listen: 127.0.0.1:-1\nhttp: 127.0.0.1:%d", port), "FILE: Can't start monitoring: "},
		{"no certificate", "listen: 127.0.0.1:-1\ntls { cert_file: /nowhere, key_file: /nowhere }", "FILE:"},
		{"log file", "listen: 127.0.0.1:-1\nlog_file: /tmp/x", "FILE: log_file and syslog are nats-server's own: remove them, this server logs to standard error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, t.TempDir(), tt.conf)
			err := server.Run(t.Context(), path, nil)
			if err == nil || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), strings.Replace(tt.want, "FILE", path, 1)) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
	err := server.Run(t.Context(), "/nowhere/nats-server.conf", nil)
	want := `nats configuration: stat /nowhere/nats-server.conf: no such file or directory: "zester bootstrap" or "playground-init" writes one`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestStartOnATakenPort(t *testing.T) {
	port := taken(t)
	h, err := keys.NewHierarchy("fleet")
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.Start(server.Options{Hierarchy: h, Dir: t.TempDir(), Port: port})
	if want := fmt.Sprintf("nats: port 127.0.0.1:%d is taken: stop what listens there, or choose another port", port); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// The system user can push an account's changed JWT, and the server acts on it and remembers.
func TestAccountsCanBeChanged(t *testing.T) {
	s := server.StartTest(t)
	creds, err := s.Hierarchy.SysCreds("sys")
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.Hierarchy.PeelsJWT()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		sys := s.Connect(t, creds, bus.Core)
		reply, err := sys.Request(t.Context(), "$SYS.REQ.CLAIMS.UPDATE", []byte(token))
		if err != nil || !bytes.Contains(reply, []byte(`"code":200`)) {
			t.Fatalf("%s, %v", reply, err)
		}
		s.Restart(t)
	}
}

func TestRestartKeepsTheStore(t *testing.T) {
	s := server.StartTest(t, func(o *server.Options) { o.TLS = true })
	core := s.Core(t)
	if _, err := core.Put(t.Context(), bus.BucketFacts, "p1", []byte("v")); err != nil {
		t.Fatal(err)
	}
	before := s.Servers[0].URL()
	s.Restart(t)
	if after := s.Servers[0].URL(); after != before {
		t.Errorf("%s became %s", before, after)
	}
	if err := core.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Core(t).Get(t.Context(), bus.BucketFacts, "p1"); err != nil || string(e.Value) != "v" {
		t.Errorf("%q, %v", e.Value, err)
	}
}
