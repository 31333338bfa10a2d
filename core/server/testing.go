package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

// TestServer is a NATS server, or a cluster of them, for one test, with its hierarchy. Its
// methods end the test on errors; everything is cleaned up when the test ends.
type TestServer struct {
	Hierarchy *keys.Hierarchy
	Account   *keys.Account
	URL       string // of all servers, commas between them
	CA        string // file of the authority; "" without TLS
	Servers   []*Server

	options []Options
	mu      sync.Mutex
	setup   bool
	peels   map[string]*keys.Identity
}

// StartTest starts a server with an empty store. change may alter its options.
func StartTest(t testing.TB, change ...func(*Options)) *TestServer {
	t.Helper()
	o := Options{Dir: t.TempDir(), Port: TestPort(t)}
	for _, f := range change {
		f(&o)
	}
	return startTest(t, []Options{o})
}

// StartCluster starts n servers that form a cluster; buckets and streams have n copies.
func StartCluster(t testing.TB, n int) *TestServer {
	t.Helper()
	options := make([]Options, n)
	routes := make([]string, n)
	for i := range options {
		port := TestPort(t)
		routes[i] = fmt.Sprintf("nats-route://127.0.0.1:%d", port)
		options[i] = Options{
			Dir: t.TempDir(), Port: TestPort(t), Name: fmt.Sprintf("n%d", i+1),
			Cluster: "test", ClusterPort: port, Routes: routes,
		}
	}
	return startTest(t, options)
}

func startTest(t testing.TB, options []Options) *TestServer {
	t.Helper()
	h, err := keys.NewHierarchy("test")
	if err != nil {
		t.Fatal(err)
	}
	s := &TestServer{Hierarchy: h, Account: h.Account(), options: options, peels: map[string]*keys.Identity{}}
	s.Servers = make([]*Server, len(options))
	t.Cleanup(func() { s.Stop() })
	for i := range options {
		options[i].Hierarchy = h
	}
	s.Start(t)
	for i, srv := range s.Servers {
		options[i].Port = portOf(t, srv.URL())
		if s.URL != "" {
			s.URL += ","
		}
		s.URL += srv.URL()
	}
	s.CA = s.Servers[0].CA()
	return s
}

// Start starts all servers after Stop, with the ports and stores they had.
func (s *TestServer) Start(t testing.TB) {
	t.Helper()
	var all sync.WaitGroup
	errs := make([]error, len(s.options))
	for i, o := range s.options {
		all.Go(func() { s.Servers[i], errs[i] = Start(o) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	for len(s.Servers) > 1 && !slices.ContainsFunc(s.Servers, func(s *Server) bool { return s.ns.JetStreamIsLeader() }) {
		if t.Context().Err() != nil { // asked before there is a leader, JetStream does not answer at all
			t.Fatal("the cluster elects no leader")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Stop shuts all servers down; connections stay and try to come back.
func (s *TestServer) Stop() {
	for _, srv := range s.Servers {
		if srv != nil {
			srv.Shutdown()
		}
	}
}

// Restart is Stop and Start.
func (s *TestServer) Restart(t testing.TB) {
	t.Helper()
	s.Stop()
	s.Start(t)
}

// Core connects with a master's rights. The first time, it creates all buckets and streams.
func (s *TestServer) Core(t testing.TB) *bus.Conn {
	t.Helper()
	creds, err := s.Hierarchy.MasterCreds("master")
	if err != nil {
		t.Fatal(err)
	}
	c := s.Connect(t, creds, bus.Core)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.setup {
		return c
	}
	for { // a cluster elects its leaders first
		err := c.Setup(t.Context(), len(s.Servers))
		if err == nil {
			s.setup = true
			return c
		}
		if len(s.Servers) == 1 || t.Context().Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Operator connects with the rights of an operator of that name.
func (s *TestServer) Operator(t testing.TB, name string) *bus.Conn {
	t.Helper()
	creds, err := s.Hierarchy.OperatorCreds(name)
	if err != nil {
		t.Fatal(err)
	}
	return s.Connect(t, creds, bus.Core)
}

// Peel connects as a peel, with the identity that PeelIdentity gives.
func (s *TestServer) Peel(t testing.TB, id string) *bus.Conn {
	t.Helper()
	return s.Connect(t, s.PeelCreds(t, id), bus.Peels)
}

// PeelCreds are a peel's credentials, valid for an hour.
func (s *TestServer) PeelCreds(t testing.TB, id string) keys.Creds {
	t.Helper()
	identity := s.PeelIdentity(t, id)
	token, err := keys.PeelJWT(s.Account, id, identity.Public(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return keys.Creds{JWT: token, Seed: identity.Seed()}
}

// PeelIdentity is the one identity that the peel has in this test.
func (s *TestServer) PeelIdentity(t testing.TB, id string) *keys.Identity {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.peels[id]; i != nil {
		return i
	}
	i, err := keys.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	s.peels[id] = i
	return i
}

// Connect connects with any credentials.
func (s *TestServer) Connect(t testing.TB, creds keys.Creds, side bus.Side) *bus.Conn {
	t.Helper()
	out := &testOutput{w: t.Output()}
	t.Cleanup(out.stop)
	o := bus.Options{URL: s.URL, CA: s.CA, Side: side, Patience: time.Minute, Log: slog.New(slog.NewTextHandler(out, nil))}
	creds.Fill(&o)
	c, err := bus.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// WriteCreds writes credentials into a directory of the test and gives the file's path.
func (s *TestServer) WriteCreds(t testing.TB, creds keys.Creds) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), creds.Name()+".creds")
	if err := keys.WriteCreds(path, creds); err != nil {
		t.Fatal(err)
	}
	return path
}

func portOf(t testing.TB, rawURL string) int {
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestPort is a port that is free until the test listens there, whenever that is.
func TestPort(t testing.TB) int {
	t.Helper()
	port, release, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}

// testOutput drops what is logged after the test's end, where testing would panic.
type testOutput struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *testOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.w == nil {
		return len(p), nil
	}
	return o.w.Write(p)
}

func (o *testOutput) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w = nil
}
