package settings

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/keys"
)

// benchTree is a tree of the size and kind that a fleet of a thousand has: some files for all, some for many, one with
// a secret, text that differs from peel to peel.
func benchTree(b testing.TB, a *keys.Account) map[string]string {
	b.Helper()
	sealed, err := keys.EncryptValue(a.Curve(), []byte("secret"))
	if err != nil {
		b.Fatal(err)
	}
	var common strings.Builder
	for i := range 200 {
		fmt.Fprintf(&common, "key%d:\n  name: value %d\n  list: [1, 2, 3]\n", i, i)
	}
	return map[string]string{
		"top.zy":          "base:\n  '*': [common, net, secret]\n  'role:web': [roles.web]\n  'role:db': [roles.db]\n  'os:debian and not role:db': [debian]\n",
		"common.zy":       common.String(),
		"net.zy":          "{% set n = facts.n %}\nnet:\n{% for i in range(10) %}  if{{ i }}: 10.{{ n // 256 }}.{{ n % 256 }}.{{ i }}\n{% endfor %}\nhost: {{ grains.id }}\n",
		"secret.zy":       "password: !encrypted " + sealed + "\n",
		"roles/web.zy":    "include: [roles.base]\nweb: {port: 80, workers: {{ facts.num_cpus * 2 }}}\n",
		"roles/db.zy":     "include: [roles.base]\ndb: {port: 5432}\n",
		"roles/base.zy":   "role: {{ facts.role }}\nkey1: {name: other}\n",
		"debian/init.zy":  "apt: {mirror: deb.example.com}\n",
		"unused/other.zy": "x: 1\n",
	}
}

func benchFacts(i int) map[string]any {
	return map[string]any{"role": []string{"web", "db", "lb"}[i%3], "os": "debian", "os_family": "debian", "n": int64(i), "num_cpus": int64(4)}
}

// BenchmarkCompile is one peel of many: most text has been seen before.
func BenchmarkCompile(b *testing.B) {
	a := newAccount(b)
	c := NewCompiler(CompilerOptions{Dir: writeTree(b, b.TempDir(), benchTree(b, a)), Account: a})
	i := 0
	for b.Loop() {
		if _, err := c.Compile(b.Context(), Peel{ID: fmt.Sprintf("web-%04d", i%1000), Facts: benchFacts(i % 1000)}); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkFleet is a thousand peels from a changed file to the last entry in the bucket, and from a start that changes nothing.
func BenchmarkFleet(b *testing.B) {
	const peels = 1000
	f := newFleet(b, map[string]string{"top.zy": ""})
	tree := benchTree(b, f.srv.Account)
	curve := f.srv.PeelIdentity(b, "p").Curve() // one for all: making keys is not what is measured
	for i := range peels {
		id := fmt.Sprintf("web-%04d", i)
		f.mu.Lock()
		f.members[id] = curve
		f.mu.Unlock()
		if err := f.index.Put(id, benchFacts(i)); err != nil {
			b.Fatal(err)
		}
	}
	stored := f.service.o.Metrics.GetOrCreateCounter("zester_settings_stored_total")
	wait := func(what string) {
		waitFor(b, what, func() bool { return stored.Get() == peels })
		stored.Set(0)
	}
	f.service.TouchAll()
	wait("empty settings")
	for b.Loop() {
		start := time.Now()
		writeTree(b, f.dir, tree)
		wait("all settings")
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms/change")
		start = time.Now()
		f.service.TouchAll()
		waitFor(b, "the queue", func() bool {
			f.service.queue.mu.Lock()
			defer f.service.queue.mu.Unlock()
			return len(f.service.queue.order)+len(f.service.queue.working) == 0
		})
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms/nochange")
		b.StopTimer()
		writeTree(b, f.dir, map[string]string{"top.zy": ""})
		wait("empty settings again")
		b.StartTimer()
	}
}
