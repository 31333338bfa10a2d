package master_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/basket"
	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/enrollment"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/server"
	"github.com/ptorbus/zester/personalities/master"
	"github.com/ptorbus/zester/personalities/peel"
)

// patience is how long a test waits for what must come. Nothing is measured by it: a busy machine may need it all.
const patience = time.Minute

// world is a NATS server and what a master and a peel are configured with.
type world struct {
	*server.TestServer
	t      *testing.T
	dir    string
	master master.Config
	peel   peel.Config
	log    *slog.Logger
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), log: slog.New(slog.DiscardHandler)}
	w.TestServer = server.StartTest(t, func(o *server.Options) { o.Dir = filepath.Join(w.dir, "nats") })
	if err := os.Mkdir(filepath.Join(w.dir, "nats"), 0o700); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	auth := filepath.Join(w.dir, "auth")
	if err := w.Hierarchy.Write(auth, keys.BootstrapOptions{ResolverDir: w.dir, EnrollHosts: []string{"127.0.0.1"}, NATSHosts: []string{"127.0.0.1"}}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(auth, "nats-ca.crt")); err != nil { // this server speaks plainly
		t.Fatal(err)
	}
	for name, text := range map[string]string{"states/a.zy": "a:\n  test.nop: []\n", "settings/top.zy": "'*': [all]\n", "settings/all.zy": "color: red\n"} {
		path := filepath.Join(w.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.master = master.Config{
		NATSURL: w.URL, AuthDir: auth, EnrollAddr: "127.0.0.1:0", EnrollTLSCert: filepath.Join(auth, "enroll.crt"), EnrollTLSKey: filepath.Join(auth, "enroll.key"),
		StatesDir: filepath.Join(w.dir, "states"), SettingsDir: filepath.Join(w.dir, "settings"), PeelJWTLife: time.Hour, NATSWait: patience, Replicas: 1,
		MetricsAddr: "127.0.0.1:0",
	}
	w.peel = peel.Config{
		ID: "web-01", NATSURL: w.URL, AuthDir: auth, FactsDir: w.dir, FactsInterval: time.Hour, MetricsAddr: "127.0.0.1:0", StateDir: filepath.Join(w.dir, "peel"),
		Basket: []any{"hostname"},
	}
	if err := keys.WriteCreds(filepath.Join(auth, "web-01.creds"), w.PeelCreds(t, "web-01")); err != nil {
		t.Fatal(err)
	}
	return w
}

// start runs a process's function and gives one that stops it and says how long that took.
func (w *world) start(run func(context.Context) error) (stop func() time.Duration) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	ended := false
	stop = func() time.Duration {
		if ended {
			return 0
		}
		ended = true
		began := time.Now()
		cancel()
		err := <-done
		took := time.Since(began)
		if err != nil && !errors.Is(err, context.Canceled) { // which is the word of one that was told to stop before it was ready
			w.t.Error(err)
		}
		return took
	}
	w.t.Cleanup(func() { stop() })
	return stop
}

func (w *world) startMaster() func() time.Duration {
	return w.start(func(ctx context.Context) error { return master.Serve(ctx, w.master, "test", w.log) })
}

func (w *world) startPeel() func() time.Duration {
	return w.start(func(ctx context.Context) error {
		return peel.Serve(ctx, w.peel, peel.Options{Version: "test", Log: w.log})
	})
}

// member makes web-01 one, as if it had enrolled.
func (w *world) member(core *bus.Conn) {
	w.t.Helper()
	store, i := enrollment.NewStore(core, nil), w.PeelIdentity(w.t, "web-01")
	if _, _, err := store.Submit(w.t.Context(), enrollment.Record{ID: "web-01", Public: i.Public(), Curve: i.Curve()}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := store.Approve(w.t.Context(), "web-01", "alice"); err != nil {
		w.t.Fatal(err)
	}
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// stored says which of the keys that a working fleet has are there.
func stored(t *testing.T, core *bus.Conn) string {
	var have []string
	for _, at := range [][2]string{{bus.BucketFacts, "web-01"}, {bus.BucketBasket, "web-01.hostname"}, {bus.BucketSettings, "web-01"}, {bus.BucketTrees, "states"}} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := core.Get(ctx, at[0], at[1]); err == nil {
			have = append(have, at[0])
		}
		cancel()
	}
	return fmt.Sprint(have)
}

// ready gives what says whether a master answers, has seen the peel, and both have stored what is theirs.
func (w *world) ready(core *bus.Conn) func() bool {
	ask := basket.Asking{Conn: w.Operator(w.t, "alice"), Subject: bus.Order("alice", basket.Resolve)}
	return func() bool {
		ids, err := ask.Resolve(w.t.Context(), "web-01", true)
		return err == nil && len(ids) == 1 && stored(w.t, core) == everything
	}
}

const everything = "[facts basket settings trees]"

// TestStopsAtOnce: idle processes are gone well within a second after they are told to.
func TestStopsAtOnce(t *testing.T) {
	w := newWorld(t)
	core := w.Core(t)
	stopMaster, stopPeel := w.startMaster(), w.startPeel()
	w.member(core)
	ready := w.ready(core)
	until(t, "a fleet at work", ready)
	var tookPeel, tookMaster time.Duration
	for range 10 { // a busy machine may be slow now and then, but not always
		if tookPeel, tookMaster = stopPeel(), stopMaster(); tookPeel < time.Second && tookMaster < time.Second {
			return
		}
		stopMaster, stopPeel = w.startMaster(), w.startPeel()
		until(t, "a fleet at work again", ready)
	}
	t.Errorf("the peel took %s, the master %s", tookPeel, tookMaster)
}

// TestLostStore: a fleet at work recovers by itself from a NATS server that has lost its disk, but for what only
// people can say anew: who is a member.
func TestLostStore(t *testing.T) {
	w := newWorld(t)
	core := w.Core(t)
	w.startMaster()
	w.startPeel()
	w.member(core)
	until(t, "a fleet at work", func() bool { return stored(t, core) == everything })
	w.Stop()
	if err := os.RemoveAll(filepath.Join(w.dir, "nats", "jetstream")); err != nil {
		t.Fatal(err)
	}
	w.Start(t)
	until(t, "the buckets", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := core.Get(ctx, bus.BucketLeases, "account") // made last
		return err == nil
	})
	w.member(core)
	until(t, "a fleet at work again", func() bool { return stored(t, core) == everything })
}

// TestNothingIsLeftBehind starts and stops a master and a peel again and again in one process.
func TestNothingIsLeftBehind(t *testing.T) {
	w := newWorld(t)
	core := w.Core(t)
	w.member(core)
	ready := w.ready(core)
	round := func() {
		stopMaster, stopPeel := w.startMaster(), w.startPeel()
		until(t, "a fleet at work", ready)
		stopPeel()
		stopMaster()
	}
	round() // what is made once
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	const rounds = 50
	for range rounds {
		round()
	}
	until(t, fmt.Sprintf("about %d goroutines and %d files", goroutines, files), func() bool { // one left per round would be too many
		return runtime.NumGoroutine() < goroutines+rounds && openFiles(t) < files+rounds
	})
	t.Logf("%d goroutines and %d files after the first round, %d and %d in the end", goroutines, files, runtime.NumGoroutine(), openFiles(t))
}

func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
