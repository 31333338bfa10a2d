//go:build faults

package playground_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/server"
)

// world is a fleet of processes: NATS, masters and peels, each behind a proxy of its own unless
// NATS is a cluster. It runs one case, one run after the other.
type world struct {
	t      *testing.T
	plan   plan
	dir    string
	bin    binaries
	ids    []string
	hier   *keys.Hierarchy
	nats   []*process
	addrs  []string // of the NATS servers
	master []*process
	peel   map[string]*process
	client *proxy    // of all clients
	core   *bus.Conn // looks on with a master's rights
	jobs   []*job

	clientClock string // seconds that the clients' clock is ahead
}

// plan is what a world is to be like.
type plan struct {
	servers  int               // of NATS; 0 is 1
	masters  int               // 0 is 2
	clock    map[string]string // seconds that a process's clock is ahead, by its name
	other    string            // of the masters, the one that is of another version
	natsConf string            // more of NATS's configuration
	state    func(w *world, peel string) string
}

func newWorld(t *testing.T, bin binaries, p plan) *world {
	w := &world{t: t, plan: p, dir: t.TempDir(), bin: bin, ids: []string{"web-01", "web-02", "db-01"}, peel: map[string]*process{}}
	w.keys()
	w.startNATS(p)
	w.client = w.front("client")
	w.connect()
	for i := range cmp.Or(p.masters, 2) {
		w.startMaster(fmt.Sprintf("m%d", i+1), p)
	}
	for _, id := range w.ids {
		w.startPeel(id, p)
	}
	w.enroll()
	w.settle()
	return w
}

// keys makes the key material; without TLS, for the proxies to read along.
func (w *world) keys() {
	var err error
	if w.hier, err = keys.NewHierarchy("faults"); err == nil {
		err = w.hier.Write(w.path("auth"), keys.BootstrapOptions{EnrollHosts: []string{"127.0.0.1"}, NATSHosts: []string{"127.0.0.1"}})
	}
	if err == nil {
		err = os.Remove(w.path("auth", "nats-ca.crt"))
	}
	w.must(err)
}

func (w *world) startNATS(p plan) {
	n := max(1, p.servers)
	ports, routes := make([]int, n), make([]int, n)
	for i := range n {
		ports[i], routes[i] = server.TestPort(w.t), server.TestPort(w.t)
		w.addrs = append(w.addrs, fmt.Sprintf("127.0.0.1:%d", ports[i]))
	}
	for i := range n {
		name := fmt.Sprintf("n%d", i+1)
		dir := w.path(name)
		w.must(os.MkdirAll(dir, 0o700))
		c := keys.ServerConfig{
			Name: name, Host: "127.0.0.1", Port: ports[i], StoreDir: dir, MaxStore: "16GB", ResolverDir: filepath.Join(dir, "accounts"),
		}
		if n > 1 {
			c.Cluster, c.ClusterHost, c.ClusterPort = "faults", "127.0.0.1", routes[i]
			for _, r := range routes {
				c.Routes = append(c.Routes, fmt.Sprintf("nats-route://127.0.0.1:%d", r))
			}
		}
		conf, err := w.hier.ServerConfig(c)
		w.must(err)
		w.must(os.WriteFile(dir+".conf", []byte(p.natsConf+conf), 0o600))
		w.nats = append(w.nats, w.process(name, p, w.bin.zester, "nats", "-c", dir+".conf", "--log-level=info"))
	}
	for i, s := range w.nats {
		s.start()
		w.reachable(w.addrs[i])
	}
}

func (w *world) reachable(addr string) {
	w.until(time.Minute, "NATS at "+addr, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// front gives a proxy to the single server.
func (w *world) front(name string) *proxy { return newProxy(w.t, name, w.addrs[0]) }

// url is where a process finds NATS: through its proxy, or all servers of a cluster.
func (w *world) url(p *proxy) string {
	if len(w.addrs) == 1 {
		return p.url()
	}
	return "nats://" + strings.Join(w.addrs, ",nats://")
}

func (w *world) connect() {
	creds, err := w.hier.MasterCreds("observer")
	w.must(err)
	o := bus.Options{URL: "nats://" + strings.Join(w.addrs, ",nats://"), Name: "observer", Patience: 10 * time.Second}
	creds.Fill(&o)
	w.core, err = bus.Connect(w.t.Context(), o)
	w.must(err)
	w.t.Cleanup(w.core.Close)
}

func (w *world) startMaster(name string, p plan) {
	bin := w.bin.zester
	if name == p.other {
		bin = w.bin.other
	}
	proxy := w.front(name)
	m := w.process(name, p, bin, "master", "--nats-url="+w.url(proxy), "--auth-dir="+w.path("auth"), "--enroll-addr=127.0.0.1:0",
		"--enroll-tls-cert="+w.path("auth", "enroll.crt"), "--enroll-tls-key="+w.path("auth", "enroll.key"),
		"--states-dir="+w.path("states"), "--settings-dir="+w.path("settings"), "--state-dir="+w.path(name),
		"--metrics-addr=", "--log-level=debug", fmt.Sprintf("--replicas=%d", len(w.nats)))
	m.proxy = proxy
	w.must(errors.Join(os.MkdirAll(w.path("states"), 0o700), os.MkdirAll(w.path("settings"), 0o700)))
	w.master = append(w.master, m)
	m.start()
	m.ready()
}

func (w *world) startPeel(id string, p plan) {
	state := w.path("peel-" + id)
	if p.state != nil {
		state = p.state(w, id)
	}
	w.must(errors.Join(os.MkdirAll(w.path("facts"), 0o700), os.MkdirAll(state, 0o700)))
	enroll := w.master[0].word("enroll_addr")
	proxy := w.front(id)
	x := w.process(id, p, w.bin.zester, "peel", "--id="+id, "--nats-url="+w.url(proxy), "--master-url=https://"+enroll,
		"--enroll-ca="+w.path("auth", "enroll-ca.crt"), "--auth-dir="+w.path("auth-"+id), "--facts-dir="+w.path("facts"),
		"--state-dir="+state, "--metrics-addr=", "--log-level=debug")
	x.proxy = proxy
	x.env = append(x.env, "FAULT_PEEL="+id)
	w.peel[id] = x
	x.start()
}

func (w *world) enroll() {
	w.until(time.Minute, "the peels to ask for enrollment", func() bool {
		out := w.run("enroll", "list")
		for _, id := range w.ids {
			if !strings.Contains(out, id) {
				return false
			}
		}
		return true
	})
	w.run("enroll", "approve", "--all")
}

// settle waits until every master can reach every peel.
func (w *world) settle() {
	w.t.Helper()
	for _, m := range w.master {
		m.ready()
	}
	good := 0
	w.until(time.Minute, "all peels to answer", func() bool {
		out := w.run("--format=json", "--timeout=5s", "*", "test.ping")
		if strings.Count(out, `"success":true`) < len(w.ids) {
			good = 0
			return false
		}
		good++
		return good >= len(w.master) || w.plan.clock != nil
	})
}

// run is a client's command; it gives all that is printed.
func (w *world) run(args ...string) string {
	c := w.start(args...)
	c.wait()
	return c.out.String() + c.err.String()
}

// returns are those that the stream holds of a job.
func (w *world) returns(jid string) (map[string]jobs.Return, error) {
	found := map[string]jobs.Return{}
	if jid == "" {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	err := w.core.StreamMessages(ctx, bus.StreamReturns, bus.Returns(jid), func(subject string, data []byte, _ time.Time) error {
		r, err := jobs.DecodeReturn(subject, data)
		if err == nil {
			found[r.Peel] = r
		}
		return err
	})
	return found, err
}

// leader is the server that leads a stream, "" if there is none now; steady that all copies are
// up to date.
func (w *world) leader(stream string) (server string, steady bool) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Second)
	defer cancel()
	data, err := w.core.Request(ctx, "$JS.API.STREAM.INFO."+stream, nil)
	var info struct {
		Cluster struct {
			Leader   string `json:"leader"`
			Replicas []struct {
				Current bool `json:"current"`
			} `json:"replicas"`
		} `json:"cluster"`
	}
	if err != nil || json.Unmarshal(data, &info) != nil {
		return "", false
	}
	steady = info.Cluster.Leader != "" && len(info.Cluster.Replicas) == len(w.nats)-1
	for _, r := range info.Cluster.Replicas {
		steady = steady && r.Current
	}
	return info.Cluster.Leader, steady
}

func (w *world) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// until waits for a condition, and ends the case where it does not come.
func (w *world) until(patience time.Duration, what string, cond func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited %s for %s%s", patience, what, w.logs())
		}
	}
}

// logs are the ends of all processes' logs, for what went wrong.
func (w *world) logs() string {
	var b strings.Builder
	for _, p := range append(append(append([]*process{}, w.nats...), w.master...), w.peels()...) {
		fmt.Fprintf(&b, "\n--- %s\n%s", p.name, p.tail(40))
	}
	return b.String()
}

func (w *world) peels() []*process {
	var all []*process
	for _, id := range w.ids {
		if p := w.peel[id]; p != nil {
			all = append(all, p)
		}
	}
	return all
}

// runsFile is where each run of a function leaves a line: peel, tag, what.
func (w *world) runsFile() string { return w.path("runs") }

// runs counts the lines of a tag by peel.
func (w *world) runs(tag, what string) map[string]int {
	data, err := os.ReadFile(w.runsFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
	count := map[string]int{}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[1] == tag && f[2] == what {
			count[f[0]]++
		}
	}
	return count
}
