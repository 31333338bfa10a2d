package modules_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/ptorbus/zester/core/modules"
	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/settings"
)

// TestSaltFunctions holds what templates call as salt['module.function'] to what Salt's own functions answer:
// testdata/functions/generate.py made the cases. What Salt refuses is refused here too; what is refused only here is refused with its reason.
func TestSaltFunctions(t *testing.T) {
	data, err := os.ReadFile("testdata/functions/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Facts, Settings json.RawMessage
		Cases           []struct{ Template, Expected, Error, Refused string }
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Cases) < 1000 {
		t.Fatalf("%d cases", len(doc.Cases))
	}
	facts, err := render.DecodeJSON(doc.Facts)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := render.Plain(facts)
	if err != nil {
		t.Fatal(err)
	}
	pillar, err := settings.Parse("settings.json", doc.Settings)
	if err != nil {
		t.Fatal(err)
	}
	env, _ := newEnv(t, nil)
	env.Facts = func() map[string]any { return plain.(map[string]any) }
	env.Grains = env.Facts
	env.Settings = func() *settings.Map { return pillar }
	env.Config = func() map[string]any { return map[string]any{"id": "web1", "pillar_raise_on_missing": false} }
	vars := modules.TemplateVars(env, nil)
	for _, c := range doc.Cases {
		got, err := env.Engine.Render(t.Context(), "t", []byte(c.Template), vars)
		switch {
		case c.Refused != "":
			if err == nil || !strings.Contains(err.Error(), c.Refused) {
				t.Errorf("%s\ngot %q (%v), want the error %s", c.Template, got, err, c.Refused)
			}
		case c.Error != "" && err == nil:
			t.Errorf("%s\ngot %q, and Salt raises %s", c.Template, got, c.Error)
		case c.Error == "" && err != nil:
			t.Errorf("%s\n%v\nwant %q", c.Template, err, c.Expected)
		case c.Error == "" && got != c.Expected:
			t.Errorf("%s\ngot  %q\nwant %q", c.Template, got, c.Expected)
		}
	}
}

// TestPeelFunctions covers what needs more of the peel than its facts and settings: targets, shared data, files, variables.
func TestPeelFunctions(t *testing.T) {
	env, _ := newEnv(t, map[string]string{"etc/motd": "hello\n", "blob": "\xff\xfe"})
	env.Environ = []string{"A=1", "EMPTY=", "A=2"}
	env.Basket = func(_ context.Context, target, function string, _ bool) ([]map[string]any, error) {
		if function != "ips" && function != "disk" {
			return nil, nil
		}
		return []map[string]any{{"peel_id": "db-01", "value": function + " of " + target}, {"peel_id": "lb-01", "value": "own"}}, nil
	}
	for _, c := range []struct{ template, want string }{
		{`{{ salt['match.glob']('lb-*') }} {{ salt['match.compound']('lb-*', minion_id='lb-01') }} {{ salt['match.grain']('os:x', delimiter=':') }}`, "True True False"},
		{`{{ salt['match.filter_by']({'web*': 1, 'lb-*': {'z': 1, 'a': 2}, '*': 3}) }}`, "{'z': 1, 'a': 2}"},
		{`{{ salt['match.filter_by']({'lb-*': {'z': [1]}}, merge={'z': [2], 'b': 1}, merge_lists=True) }}`, "{'z': [1, 2], 'b': 1}"},
		{`{{ salt['match.filter_by']({'web*': 1, 'default': 2}) }}{{ salt['match.filter_by']({'web*': 1}) }}`, "2None"},
		{`{{ salt['mine.get']('*', 'ips') }}`, "{'db-01': 'ips of *', 'lb-01': 'own'}"},
		{`{{ salt['mine.get']('os:x', 'ips', 'grain', exclude_minion=True) }}`, "{'db-01': 'ips of G@os:x'}"},
		{`{{ salt['mine.get']('*', 'ips,none') }}`, "{'ips': {'db-01': 'ips of *', 'lb-01': 'own'}}"},
		{`{{ salt['mine.get']('*', ['disk'], exclude_minion=true) }}{{ salt['mine.get']('*', 'none') }}`, "{'disk': {'db-01': 'disk of *'}}{}"},
		{`{{ salt['cp.get_file_str']('salt://etc/motd') }}{{ salt['cp.get_file_str']('salt://etc/none') }}`, "hello\nFalse"},
		{`{{ salt['environ.get']('A') }}{{ salt['environ.get']('EMPTY', 'x') }}{{ salt['environ.get']('NO', 'x') }}{{ salt['environ.get']('NO') }}`, "2x"},
		{`{{ salt['environ.has_value']('A') }} {{ salt['environ.has_value']('A', '1') }} {{ salt['environ.has_value']('NO') }}`, "True False False"},
		{`{{ salt['pillar.get']('app:port', pillarenv='base', saltenv='dev') }}`, "8080"},
		{`{{ salt['facts.get']('network.domain') }}{{ salt['grains.get']('network.domain', '-') }}`, "example.org-"},
	} {
		if got, err := env.Engine.Render(t.Context(), "t", []byte(c.template), modules.TemplateVars(env, nil)); err != nil || got != c.want {
			t.Errorf("%s\ngot  %q (%v)\nwant %q", c.template, got, err, c.want)
		}
	}
	for _, c := range []struct{ template, want string }{
		{`{{ salt['match.glob']('lb-*', 'web-01') }}`, `match.glob: minion_id "web-01": only this peel, "lb-01", can be matched; leave it out`},
		{`{{ salt['match.grain']('a|b', '|') }}`, `match.grain: delimiter "|": nested names of targets are separated by colons`},
		{`{{ salt['match.filter_by']({}, 'grian') }}`, `match.filter_by: unknown tgt_type "grian" (did you mean "grain"?)`},
		{`{{ salt['match.filter_by']([]) }}`, `match.filter_by: lookup takes a mapping of targets to values`},
		{`{{ salt['match.filter_by']({'lb-*': 1}, merge={'a': 1}) }}`, `match.filter_by: only mappings can be merged`},
		{`{{ salt['mine.get']('*', []) }}`, `mine.get: fun takes the name of a function, or a list of them, not []`},
		{`{{ salt['cp.get_file_str']('/etc/passwd') }}`, `cp.get_file_str: "/etc/passwd" is no file of the tree; give a salt:// path`},
		{`{{ salt['cp.get_file_str']('salt://blob') }}`, `cp.get_file_str: "salt://blob" is not text in UTF-8`},
		{`{{ salt['pillar.get']('app', pillarenv='dev') }}`, `settings.get: pillarenv "dev": settings have one environment, base; leave it out`},
		{`{{ salt['pillar.keys']('app:port') }}`, `settings.keys: the setting "app:port" is not a mapping`},
		{`{{ salt['config.get']('app', merge='recurs') }}`, `config.get: unknown merge "recurs" (did you mean "recurse"?)`},
		{`{{ salt['slsutil.merge']({}, {}, 'over') }}`, `slsutil.merge: unknown strategy "over"`},
		{`{{ salt['defaults.deepcopy']({'a': {1: 2}}) }}`, `defaults.deepcopy: a mapping with keys that are not text cannot be merged or copied here; use update() of the mapping`},
		{`{% set d = {} %}{% do d.update({'d': d}) %}{{ salt['slsutil.update'](d, d) }}`, `value nested deeper than 500 levels`},
	} {
		if got, err := env.Engine.Render(t.Context(), "t", []byte(c.template), modules.TemplateVars(env, nil)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngot  %q (%v)\nwant the error %s", c.template, got, err, c.want)
		}
	}
}
