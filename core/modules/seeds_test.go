package modules_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ptorbus/zester/core/modules"
)

// TestSharedData applies the examples of the basket's guide, as they are written there but for the path.
func TestSharedData(t *testing.T) {
	tree := map[string]string{
		"haproxy.zy": `haproxy_config:
  file.managed:
    - path: {{ facts.root }}/haproxy.cfg
    - content: |
        backend webservers
        {% for entry in basket("role:webserver", "network.ip_addrs") %}
          server {{ entry.peel_id }} {{ entry.value }}:8080 check
        {% endfor %}
`,
		"app.sls": `app_config:
  file.managed:
    - path: {{ facts.root }}/config.yml
    - content: |
        databases:
        {% for entry in basket("role:database", "network.ip_addrs") %}
          - host: {{ entry.value }}
            port: 5432
        {% endfor %}
`,
		"firewall/init.zy": `firewall_rules:
  file.managed:
    - path: {{ facts.root }}/allow.conf
    - content: |
        {% for entry in basket("role:app", "network.ip_addrs") %}
        -A INPUT -s {{ entry.value }} -j ACCEPT
        {% endfor %}
        {%- for id, value in salt['mine.get']('role:app', 'network.ip_addrs', tgt_type='grain') | dictsort %}
        # {{ id }} {{ value }}
        {%- endfor %}
`,
	}
	want := map[string]string{
		"haproxy.cfg": "backend webservers\n\n  server web-01 10.0.1.1:8080 check\n\n  server web-02 10.0.1.2:8080 check\n",
		"config.yml":  "databases:\n\n  - host: 10.0.1.1\n    port: 5432\n\n  - host: 10.0.1.2\n    port: 5432\n",
		"allow.conf":  "\n-A INPUT -s 10.0.1.1 -j ACCEPT\n\n-A INPUT -s 10.0.1.2 -j ACCEPT\n\n# web-01 10.0.1.1\n# web-02 10.0.1.2\n",
	}
	env, root := newEnv(t, tree)
	peels := 2
	var asked []string
	env.Basket = func(_ context.Context, target, function string, live bool) ([]map[string]any, error) {
		asked = append(asked, fmt.Sprint(target, " ", function, " ", live))
		var entries []map[string]any
		for i := 1; i <= peels; i++ {
			entries = append(entries, map[string]any{"peel_id": fmt.Sprintf("web-%02d", i), "value": fmt.Sprintf("10.0.1.%d", i)})
		}
		return entries, nil
	}
	run := func() map[string]any {
		t.Helper()
		value, err := modules.Builtin().Call(t.Context(), env, "state.apply", []any{"haproxy,app,firewall"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return value.(map[string]any)["summary"].(map[string]any)
	}
	if got := run()["changed"]; got != int64(3) {
		t.Errorf("the first run changed %v of 3 states", got)
	}
	for name, text := range want {
		if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(got) != text {
			t.Errorf("%s: %q (%v), want %q", name, got, err, text)
		}
	}
	if got := run()["changed"]; got != int64(0) {
		t.Errorf("the second run changed %v states", got)
	}
	peels = 3
	if got := run()["changed"]; got != int64(3) {
		t.Errorf("after a third peel joined, a run changed %v of 3 states", got)
	}
	if asked[0] != "role:webserver network.ip_addrs false" || asked[3] != "G@role:app network.ip_addrs false" {
		t.Errorf("asked the basket for %q", asked[:4])
	}
}
