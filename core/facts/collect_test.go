package facts

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/ptorbus/zester/core/bus"
	"golang.org/x/tools/txtar"
)

// Each file of testdata/hosts holds files of a host, and the facts and grains that must come of them; null for one that must be missing.
func TestHosts(t *testing.T) {
	paths, err := filepath.Glob("testdata/hosts/*.txtar")
	if err != nil || len(paths) < 5 {
		t.Fatalf("testdata/hosts: %d files, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			o := Options{root: t.TempDir()}
			want := map[string]map[string]any{}
			for _, file := range archive.Files {
				if filepath.Ext(file.Name) == ".json" {
					var facts map[string]any
					if err := json.Unmarshal(file.Data, &facts); err != nil {
						t.Fatal(file.Name, err)
					}
					want[file.Name] = facts
					continue
				}
				name := filepath.Join(o.root, file.Name)
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, file.Data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			f := set{}
			o.system(f)
			o.processors(f)
			f.put("gateway", o.gateway())
			f.put("nameservers", o.nameservers())
			delete(f["cpu"].(map[string]any), "arch")
			compare(t, "fact", f, want["facts.json"])
			compare(t, "grain", Grains(f), want["grains.json"])
		})
	}
}

func compare(t *testing.T, what string, got, want map[string]any) {
	t.Helper()
	if len(want) == 0 {
		t.Fatalf("no %ss to compare with", what)
	}
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var plain map[string]any // with JSON's numbers, as want
	if err := json.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	for name, v := range want {
		if !reflect.DeepEqual(plain[name], v) {
			t.Errorf("%s %s = %#v, want %#v", what, name, plain[name], v)
		}
	}
}

func TestCollect(t *testing.T) {
	facts, warnings := Collect(t.Context(), Options{ID: "web-01", Version: "1.2.3", Dir: filepath.Join(t.TempDir(), "none")})
	if len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	if facts["id"] != "web-01" || facts["zester_version"] != "1.2.3" {
		t.Errorf("id %v, zester_version %v", facts["id"], facts["zester_version"])
	}
	for _, name := range []string{"kernel", "kernelrelease", "arch", "hostname", "fqdn", "domain", "num_cpus", "mem_total", "network", "memory", "cpu"} {
		if _, ok := facts[name]; !ok {
			t.Errorf("no fact %s", name)
		}
	}
	// What is not plain data would come back changed from the bus, and be published for ever.
	data, err := bus.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := bus.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(facts, back) {
		t.Errorf("facts change on the bus:\n got %v\nwant %v", back, facts)
	}
	for try := 1; ; try++ {
		again, _ := Collect(t.Context(), Options{ID: "web-01", Version: "1.2.3"})
		if Hash(again) == Hash(facts) {
			break
		}
		if try == 10 { // others may mount something or change the network now and then, but not always
			t.Fatalf("facts differ a moment later:\n%v\n%v", facts, again)
		}
		facts = again
	}
	if len(data) > 32<<10 {
		t.Errorf("facts have %d bytes", len(data))
	}
}

func BenchmarkCollect(b *testing.B) {
	for b.Loop() {
		Collect(b.Context(), Options{ID: "web-01", Version: "1.2.3"})
	}
}
