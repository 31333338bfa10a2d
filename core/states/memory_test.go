package states_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestMemory holds a plan of 10,000 states to a modest size.
func TestMemory(t *testing.T) {
	files := tree{"main.zy": "#!yaml\ninclude:\n"}
	for part := range 100 {
		var b strings.Builder
		b.WriteString("#!yaml\n")
		for i := range 100 {
			fmt.Fprintf(&b, "file-%d-%d:\n  file.managed:\n    - name: /etc/app/%[1]d/%[2]d.conf\n    - mode: 644\n    - contents: |\n        # managed\n        setting = %[2]d\n", part, i)
			if part > 0 {
				fmt.Fprintf(&b, "    - require:\n      - file: file-%d-%d\n", part-1, i)
			}
		}
		files[fmt.Sprintf("part%d.zy", part)] = b.String()
		files["main.zy"] += fmt.Sprintf("  - part%d\n", part)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	plan, err := runner(files).Compile(t.Context(), []string{"main"})
	if err != nil {
		t.Fatal(err)
	}
	held := heap() - before
	report := plan.Run(t.Context())
	withReport := heap() - before
	t.Logf("a plan of %d states holds %d KiB, %d KiB with its report", plan.Len(), held>>10, withReport>>10)
	if plan.Len() != 10000 || len(report.States) != 10000 || withReport > 60<<20 {
		t.Errorf("a plan of %d states holds %d KiB with its report", plan.Len(), withReport>>10)
	}
}
