package facts

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/target"
)

// fleetFacts are 40 facts as a real host reports them: some its own, most shared with many others.
func fleetFacts(i int) (string, map[string]any) {
	roles := []string{"web", "db", "lb", "cache", "queue"}
	id := fmt.Sprintf("%s-%05d", roles[i%len(roles)], i/len(roles))
	ip := fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
	facts := map[string]any{
		"id": id, "hostname": id, "host": id, "nodename": id, "fqdn": id + ".example.com", "domain": "example.com",
		"machine_id": fmt.Sprintf("%032x", i), "uuid": fmt.Sprintf("%08x-0000", i), "serialnumber": fmt.Sprint("sn", i),
		"default_ipv4": ip, "ipv4": []any{"127.0.0.1", ip}, "ipv6": []any{"::1"},
		"role": roles[i%len(roles)], "datacenter": fmt.Sprint("dc", i%7), "rack": fmt.Sprint("r", i%400),
		"os": []string{"debian", "ubuntu", "rocky"}[i%3], "os_family": "debian", "osrelease": []string{"11", "12", "13"}[i%3],
		"oscodename": "bookworm", "osfinger": "debian-12", "osmajorrelease": int64(12), "kernel": "linux",
		"kernelrelease": fmt.Sprint("6.1.0-", i%20), "kernelversion": "#1 SMP", "arch": "amd64", "cpuarch": "x86_64",
		"num_cpus": int64(4 << (i % 4)), "cpu_model": "AMD EPYC", "mem_total": int64(16000 + i%50), "swap_total": int64(0),
		"virtual": "kvm", "init": "systemd", "manufacturer": "QEMU", "productname": "Standard PC", "username": "root",
		"shell": "/bin/sh", "path": "/usr/bin:/bin", "uid": int64(0), "gid": int64(0), "zester_version": "1.0.0",
	}
	return id, facts
}

func fleet(b testing.TB, n int) *Index {
	ix := NewIndex()
	for i := range n {
		id, facts := fleetFacts(i)
		if err := ix.Put(id, facts); err != nil {
			b.Fatal(err)
		}
	}
	return ix
}

func BenchmarkResolve(b *testing.B) {
	const peels = 100_000
	before := heap()
	ix := fleet(b, peels)
	perPeel := float64(heap()-before) / peels
	all := make([]target.Peel, 0, peels)
	for _, id := range ix.IDs() {
		all = append(all, target.Peel{ID: id, Facts: ix.Facts(id)})
	}
	for _, text := range []string{
		"G@role:web and not web-00*", "web-01234", "*", "E@db-0[0-4]", "G@rack:r7 or G@rack:r8",
		"G@kernelrelease:6.1.0-1* and P@os:(debian|ubuntu)", "S@10.0.0.0/24", "G@fqdn:web-0123*",
	} {
		t, err := target.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			var got []string
			for b.Loop() {
				if got, err = t.Resolve(ix); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			start, scanned := time.Now(), 0
			for i := range all {
				if t.Match(all[i]) {
					scanned++
				}
			}
			naive := time.Since(start)
			if scanned != len(got) || scanned == 0 {
				b.Fatalf("the index finds %d peels, a scan %d", len(got), scanned)
			}
			b.ReportMetric(float64(naive)/(float64(b.Elapsed())/float64(b.N)), "scan/index")
			b.ReportMetric(float64(scanned), "peels")
			b.ReportMetric(perPeel, "B/peel")
		})
	}
}

func BenchmarkIndexPut(b *testing.B) {
	ix := fleet(b, 10_000)
	id, facts := fleetFacts(4711)
	for i := 0; b.Loop(); i++ {
		facts["kernelrelease"] = fmt.Sprint("6.1.0-", i%2)
		if err := ix.Put(id, facts); err != nil {
			b.Fatal(err)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
