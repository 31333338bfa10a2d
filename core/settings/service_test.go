package settings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/facts"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/server"
)

// fleet is a master's settings service over a real server, and its peels.
type fleet struct {
	t       testing.TB
	srv     *server.TestServer
	core    *bus.Conn
	dir     string
	index   *facts.Index
	service *Service
	stop    func() // ends the service

	lookEvery time.Duration     // of the service, if not 0
	groups    map[string]string // of the master

	mu      sync.Mutex
	members map[string]string // id to curve key
}

func newFleet(t testing.TB, tree map[string]string) *fleet {
	t.Helper()
	f := &fleet{t: t, srv: server.StartTest(t), dir: t.TempDir(), members: map[string]string{}}
	f.core = f.srv.Core(t)
	writeTree(t, f.dir, tree)
	f.start()
	return f
}

// start runs a master as a new process would.
func (f *fleet) start() {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	f.index = facts.NewIndex()
	service, err := NewService(ServiceOptions{
		Conn: f.core, Account: f.srv.Account, Fleet: f.index, Curve: f.curve,
		Compiler: NewCompiler(CompilerOptions{Dir: f.dir, Account: f.srv.Account, Groups: f.groups}),
		Log:      slog.New(slog.NewTextHandler(f.t.Output(), nil)),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.service, f.index.Changed = service, service.Touch
	if f.lookEvery > 0 {
		service.lookEvery = f.lookEvery
	}
	var all sync.WaitGroup
	all.Go(func() { f.index.Follow(ctx, f.core) })
	all.Go(func() { service.Run(ctx) })
	all.Go(func() { f.core.Lease(ctx, "settings", "m", 10*time.Second, service.Publish) })
	f.stop = func() { cancel(); all.Wait() }
	f.t.Cleanup(f.stop)
}

func (f *fleet) curve(id string) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.members[id]
	return c, ok
}

func (f *fleet) enroll(id string) *keys.Identity {
	f.t.Helper()
	i := f.srv.PeelIdentity(f.t, id)
	f.mu.Lock()
	f.members[id] = i.Curve()
	f.mu.Unlock()
	f.service.Touch(id)
	return i
}

func (f *fleet) report(conn *bus.Conn, id string, set map[string]any) {
	f.t.Helper()
	data, err := bus.Marshal(set)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := conn.Put(f.t.Context(), bus.BucketFacts, bus.Token(id), data); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) store(conn *bus.Conn, id, cache string) *Store {
	f.t.Helper()
	return NewStore(StoreOptions{Conn: conn, ID: id, Identity: f.srv.PeelIdentity(f.t, id), Account: f.srv.Account.Public(),
		CacheFile: cache, Log: slog.New(slog.NewTextHandler(f.t.Output(), nil))})
}

// follow runs a store's Follow for the length of the test.
func (f *fleet) follow(s *Store) *Store {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan error)
	go func() { done <- s.Follow(ctx) }()
	f.t.Cleanup(func() { cancel(); <-done })
	return s
}

// patience is how long a test waits for what must come. Nothing is measured by it: a busy machine may need it all.
const patience = time.Minute

func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func (f *fleet) wait(s *Store, want map[string]any) {
	f.t.Helper()
	waitFor(f.t, fmt.Sprint(want), func() bool { return reflect.DeepEqual(s.Plain(), want) })
}

// TestLife takes one peel from its first connection through every kind of change.
func TestLife(t *testing.T) {
	f := newFleet(t, map[string]string{"top.zy": "'*': [all]\nrole:web: [web]", "all.zy": "me: {{ id }}\n", "web.zy": "web: {{ facts.n }}"})
	const id = "web-01.example.com"
	f.enroll(id)
	conn := f.srv.Peel(t, id)
	s := f.follow(f.store(conn, id, ""))
	if s.Get().Len() != 0 {
		t.Errorf("before there are any: %v", s.Plain())
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Wait(short); !errors.Is(err, ErrNone) {
		t.Errorf("Wait without settings: %v", err)
	}
	changes := make(chan *Map, 10)
	defer s.OnChange(func(m *Map) { changes <- m })()
	start := time.Now()
	f.report(conn, id, map[string]any{"role": "web", "n": int64(1)})
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("facts published to settings there: %s", time.Since(start))
	f.wait(s, map[string]any{"me": id, "web": int64(1)})
	if m := <-changes; m != s.Get() {
		t.Errorf("the hook got %v", m.Plain())
	}
	f.report(conn, id, map[string]any{"role": "db", "n": int64(1)})
	f.wait(s, map[string]any{"me": id})
	writeTree(t, f.dir, map[string]string{"all.zy": "me: {{ id }}\nx: {y: [1]}\n"})
	f.wait(s, map[string]any{"me": id, "x": map[string]any{"y": []any{int64(1)}}})
	if v, ok := s.Lookup("x:y:0"); !ok || v != int64(1) {
		t.Errorf("Lookup: %v, %v", v, ok)
	}
	f.srv.Restart(t)
	writeTree(t, f.dir, map[string]string{"all.zy": "after: restart"})
	f.wait(s, map[string]any{"after": "restart"})
}

// TestBroken: a file that fails for one peel fails for it alone, and it keeps what it had.
func TestBroken(t *testing.T) {
	f := newFleet(t, map[string]string{"top.zy": "'*': [a]", "a.zy": "n: {{ facts.n }}"})
	stores := map[string]*Store{}
	for _, id := range []string{"p1", "p2"} {
		f.enroll(id)
		conn := f.srv.Peel(t, id)
		f.report(conn, id, map[string]any{"n": int64(1)})
		stores[id] = f.follow(f.store(conn, id, ""))
		f.wait(stores[id], map[string]any{"n": int64(1)})
	}
	writeTree(t, f.dir, map[string]string{"a.zy": "{% if id == 'p1' %}n: 2{% else %}n: [{% endif %}"})
	f.wait(stores["p1"], map[string]any{"n": int64(2)})
	waitFor(t, "the problem of p2 alone", func() bool {
		problems := f.service.Problems()
		return len(problems) == 1 && fmt.Sprint(problems["p2"]) == "a.zy: line 1 as rendered: did not find expected node content"
	})
	if got := stores["p2"].Plain(); !reflect.DeepEqual(got, map[string]any{"n": int64(1)}) {
		t.Errorf("p2 has %v", got)
	}
	if err := os.RemoveAll(f.dir); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "two problems", func() bool {
		return errors.Is(f.service.Problems()["p1"], ErrNoTop) && errors.Is(f.service.Problems()["p2"], ErrNoTop)
	})
	f.enroll("p3")
	conn := f.srv.Peel(t, "p3")
	f.report(conn, "p3", map[string]any{})
	s := f.follow(f.store(conn, "p3", ""))
	if err := s.Wait(t.Context()); err != nil || s.Get().Len() != 0 {
		t.Errorf("a new peel gets empty settings where there is no tree: %v, %v", s.Plain(), err)
	}
	if err := stores["p1"].Refresh(t.Context()); err != nil || !reflect.DeepEqual(stores["p1"].Plain(), map[string]any{"n": int64(2)}) {
		t.Errorf("p1 has %v: %v", stores["p1"].Plain(), err)
	}
}

// TestNewMaster: a start stores nothing that is stored already, and goes on where the last master was, whatever its clock said.
func TestNewMaster(t *testing.T) {
	f := newFleet(t, map[string]string{"top.zy": "'*': [a]", "a.zy": "n: 1"})
	identity := f.enroll("p")
	conn := f.srv.Peel(t, "p")
	f.report(conn, "p", map[string]any{"os": "debian"})
	s := f.follow(f.store(conn, "p", ""))
	f.wait(s, map[string]any{"n": int64(1)})
	entry := func() bus.Entry {
		e, err := f.core.Get(t.Context(), bus.BucketSettings, "p")
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	first := entry()
	f.stop()
	f.start()
	waitFor(t, "the new master to compile", func() bool {
		f.service.mu.Lock()
		defer f.service.mu.Unlock()
		return f.service.leading != nil && f.service.leading.holds("p")
	})
	if err := f.service.one(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	if now := entry(); now.Revision != first.Revision {
		t.Errorf("stored again as revision %d after %d", now.Revision, first.Revision)
	}
	f.stop()
	// A master whose clock was a year ahead has been at work.
	ahead := time.Now().AddDate(1, 0, 0).UnixNano()
	sealed, err := seal(f.srv.Account, "p", identity.Curve(), ahead, parcel{data: FromPlain(map[string]any{"n": int64(5)})})
	if err != nil {
		t.Fatal(err)
	}
	key, err := fingerprintKey(f.srv.Account)
	if err != nil {
		t.Fatal(err)
	}
	value, err := bus.Marshal(envelope{Sealed: sealed, Serial: ahead, Mark: serialMark(key, "p", ahead)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.core.Put(t.Context(), bus.BucketSettings, "p", value); err != nil {
		t.Fatal(err)
	}
	f.wait(s, map[string]any{"n": int64(5)})
	f.start()
	f.wait(s, map[string]any{"n": int64(1)})
	// What is no master's is replaced.
	if _, err := f.core.Put(t.Context(), bus.BucketSettings, "p", []byte("garbage")); err != nil {
		t.Fatal(err)
	}
	writeTree(t, f.dir, map[string]string{"a.zy": "n: 6"})
	f.wait(s, map[string]any{"n": int64(6)})
}

// TestLostBucket: what somebody has purged under a leading master is stored again.
func TestLostBucket(t *testing.T) {
	f := newFleet(t, map[string]string{"top.zy": "'*': [a]", "a.zy": "n: 1"})
	f.stop()
	f.lookEvery = 20 * time.Millisecond
	f.start()
	f.enroll("p")
	conn := f.srv.Peel(t, "p")
	f.report(conn, "p", map[string]any{"os": "debian"})
	f.wait(f.follow(f.store(conn, "p", "")), map[string]any{"n": int64(1)})
	if err := f.core.Purge(t.Context(), bus.BucketSettings, ">"); err != nil {
		t.Fatal(err)
	}
	f.wait(f.follow(f.store(conn, "p", "")), map[string]any{"n": int64(1)})
}

// TestOlderIsToldOf: settings from before those that are known are not taken, and somebody hears of it.
func TestOlderIsToldOf(t *testing.T) {
	f := newFleet(t, map[string]string{"top.zy": "'*': [a]", "a.zy": "n: 1"})
	f.enroll("p")
	conn := f.srv.Peel(t, "p")
	f.report(conn, "p", map[string]any{"os": "debian"})
	s := f.follow(f.store(conn, "p", ""))
	f.wait(s, map[string]any{"n": int64(1)})
	first, err := f.core.Get(t.Context(), bus.BucketSettings, "p")
	if err != nil {
		t.Fatal(err)
	}
	writeTree(t, f.dir, map[string]string{"a.zy": "n: 2"})
	f.wait(s, map[string]any{"n": int64(2)})
	_, err = s.take(first.Value, false)
	if !errors.Is(err, errOlder) || !strings.HasPrefix(err.Error(), "older than what this peel has had, and not taken: was NATS restored") {
		t.Errorf("old settings played back: %v", err)
	}
	if got := s.Plain(); !reflect.DeepEqual(got, map[string]any{"n": int64(2)}) {
		t.Errorf("taken: %v", got)
	}
}

// TestSealed: what is stored and what is cached tells nothing, opens for its peel only, and is never taken back.
func TestSealed(t *testing.T) {
	f := newFleet(t, map[string]string{"top.zy": "'*': [a]", "a.zy": "word: plaintext-{{ facts.n }}"})
	cache := filepath.Join(t.TempDir(), "settings")
	conn := map[string]*bus.Conn{}
	for _, id := range []string{"p", "q"} {
		f.enroll(id)
		conn[id] = f.srv.Peel(t, id)
		f.report(conn[id], id, map[string]any{"n": "1"})
	}
	s := f.follow(f.store(conn["p"], "p", cache))
	f.wait(s, map[string]any{"word": "plaintext-1"})
	f.wait(f.follow(f.store(conn["q"], "q", "")), map[string]any{"word": "plaintext-1"})
	entry, err := f.core.Get(t.Context(), bus.BucketSettings, "p")
	if err != nil {
		t.Fatal(err)
	}
	f.report(conn["p"], "p", map[string]any{"n": "2"})
	f.wait(s, map[string]any{"word": "plaintext-2"})
	f.stop() // nobody stores anything now but this test
	if _, err := f.core.Put(t.Context(), bus.BucketSettings, "p", entry.Value); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Store{"running": s, "restarted": f.store(conn["p"], "p", cache)} {
		if err := s.Refresh(t.Context()); err != nil || s.Plain()["word"] != "plaintext-2" {
			t.Errorf("%s: an older set is taken: %v, %v", name, s.Plain(), err)
		}
	}
	cached, err := os.ReadFile(cache)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(cache)
	if err != nil || info.Mode().Perm() != 0o600 || bytes.Contains(cached, []byte("plaintext")) || bytes.Contains(entry.Value, []byte("plaintext")) {
		t.Errorf("mode %v, %v; the cache or the bucket holds plaintext", info.Mode(), err)
	}
	if got := f.store(nil, "p", cache).Plain(); got["word"] != "plaintext-2" {
		t.Errorf("from the cache: %v", got)
	}
	for n := range cached {
		if n%50 == 0 {
			if err := os.WriteFile(cache, cached[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			if got := f.store(nil, "p", cache).Plain(); len(got) != 0 {
				t.Fatalf("from %d bytes of the cache: %v", n, got)
			}
		}
	}
	// Another peel's entry, or the own one under another name, opens for nobody.
	other, err := f.core.Get(t.Context(), bus.BucketSettings, "q")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(f.srv.PeelIdentity(t, "p"), f.srv.Account.Public(), "p", other.Value); !errors.Is(err, keys.ErrNotForPeel) {
		t.Errorf("another peel's settings: %v", err)
	}
	if _, _, err := open(f.srv.PeelIdentity(t, "p"), f.srv.Account.Public(), "q", entry.Value); !errors.Is(err, keys.ErrContext) {
		t.Errorf("settings for another id: %v", err)
	}
	foreign, err := seal(newAccount(t), "p", f.srv.PeelIdentity(t, "p").Curve(), time.Now().AddDate(9, 0, 0).UnixNano(), parcel{data: FromPlain(map[string]any{"evil": true})})
	if err != nil {
		t.Fatal(err)
	}
	value, err := bus.Marshal(envelope{Sealed: foreign})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(f.srv.PeelIdentity(t, "p"), f.srv.Account.Public(), "p", value); !errors.Is(err, keys.ErrSignature) {
		t.Errorf("settings of another account: %v", err)
	}
	if _, err := conn["q"].Get(t.Context(), bus.BucketSettings, "p"); err == nil {
		t.Error("a peel can read another's entry")
	}
}

// A peel learns to which groups it belongs, and of a group not more than that.
func TestGroups(t *testing.T) {
	f := newFleet(t, map[string]string{"top.zy": "'*': [a]", "a.zy": "tier: front"})
	f.stop()
	f.groups = map[string]string{"pair": "L@p,q", "debians": "G@os:debian", "front": "I@tier:front and N@pair", "others": "not N@pair", "bad": "(("}
	f.start()
	f.enroll("p")
	conn := f.srv.Peel(t, "p")
	f.report(conn, "p", map[string]any{"os": "debian"})
	s := f.follow(f.store(conn, "p", ""))
	want := map[string]bool{"pair": true, "debians": true, "front": true, "others": false}
	waitFor(t, "the groups", func() bool { return reflect.DeepEqual(s.Groups(), want) })
	f.report(conn, "p", map[string]any{"os": "alpine"})
	want["debians"] = false
	waitFor(t, "a group to be left", func() bool { return reflect.DeepEqual(s.Groups(), want) })
	if got := s.Plain(); !reflect.DeepEqual(got, map[string]any{"tier": "front"}) {
		t.Errorf("settings %v", got)
	}
}

// TestNewKey: a peel that has enrolled anew gets its settings sealed to the new key.
func TestNewKey(t *testing.T) {
	f := newFleet(t, map[string]string{"top.zy": "'*': [a]", "a.zy": "n: 1"})
	f.enroll("p")
	f.report(f.srv.Peel(t, "p"), "p", map[string]any{"os": "debian"})
	waitFor(t, "the first settings", func() bool {
		_, err := f.core.Get(t.Context(), bus.BucketSettings, "p")
		return err == nil
	})
	next, err := keys.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.members["p"] = next.Curve()
	f.mu.Unlock()
	f.service.Touch("p")
	waitFor(t, "settings for the new key", func() bool {
		e, err := f.core.Get(t.Context(), bus.BucketSettings, "p")
		if err != nil {
			return false
		}
		_, got, err := open(next, f.srv.Account.Public(), "p", e.Value)
		return err == nil && got.data.Plain()["n"] == int64(1)
	})
}

// TestStandby: a master without the lease compiles and stores nothing.
func TestStandby(t *testing.T) {
	srv := server.StartTest(t)
	core, index := srv.Core(t), facts.NewIndex()
	compiled := make(chan *Map, 1)
	service, err := NewService(ServiceOptions{
		Conn: core, Account: srv.Account, Fleet: index,
		Curve:    func(id string) (string, bool) { return srv.PeelIdentity(t, id).Curve(), true },
		Compiler: NewCompiler(CompilerOptions{Dir: writeTree(t, t.TempDir(), map[string]string{"top.zy": "'*': [a]", "a.zy": "n: 1"}), Account: srv.Account}),
		Compiled: func(_ string, data *Map) {
			select {
			case compiled <- data:
			default: // again, which it may
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := index.Put("p", map[string]any{"os": "debian"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { index.Follow(ctx, core) })
	all.Go(func() { service.Run(ctx) })
	if data := (<-compiled).Plain(); data["n"] != int64(1) {
		t.Errorf("compiled %v", data)
	}
	if _, err := core.Get(t.Context(), bus.BucketSettings, "p"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("stored by a master without the lease: %v", err)
	}
	cancel()
	all.Wait()
}
