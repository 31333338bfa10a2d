package modules_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ptorbus/zester/core/modules"
	"github.com/ptorbus/zester/core/settings"
)

// TestSettingsOrder: templates see settings in the order of their files, whichever way they ask.
func TestSettingsOrder(t *testing.T) {
	pillar, err := settings.Parse("pillar.zy", []byte("users:\n  zoe: {uid: 2, home: /z}\n  adam: {uid: 1}\nlist: [{z: 1, a: 2}]\nb: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	env, _ := newEnv(t, nil)
	env.Settings = func() *settings.Map { return pillar }
	for name, c := range map[string]struct{ template, want string }{
		"pillar":           {`{% for u, d in pillar['users'].items() %}{{ u }}{{ d }}{% endfor %}`, "zoe{'uid': 2, 'home': '/z'}adam{'uid': 1}"},
		"settings":         {`{{ settings }}`, "{'users': {'zoe': {'uid': 2, 'home': '/z'}, 'adam': {'uid': 1}}, 'list': [{'z': 1, 'a': 2}], 'b': 1}"},
		"pillar.get":       {`{{ salt['pillar.get']('users') }}{{ salt['settings.get']('list:0') }}`, "{'zoe': {'uid': 2, 'home': '/z'}, 'adam': {'uid': 1}}{'z': 1, 'a': 2}"},
		"default":          {`{{ salt['pillar.get']('none', {'z': 1, 'a': {'y': 1, 'b': 2}}) }}`, "{'z': 1, 'a': {'y': 1, 'b': 2}}"},
		"merged default":   {`{{ salt['pillar.get']('users', default={'mia': 1, 'adam': {'z': 1}}, merge=True) }}`, "{'mia': 1, 'adam': {'z': 1, 'uid': 1}, 'zoe': {'uid': 2, 'home': '/z'}}"},
		"items, item":      {`{{ salt['pillar.items']() | list }}{{ salt['pillar.item']('list', 'b', 'none') }}`, "['users', 'list', 'b']{'list': [{'z': 1, 'a': 2}], 'b': 1, 'none': ''}"},
		"keys":             {`{{ salt['pillar.keys']() }}`, "['users', 'list', 'b']"},
		"config.get":       {`{{ salt['config.get']('users') | list }}`, "['zoe', 'adam']"},
		"filter_by":        {`{{ salt['grains.filter_by']({'RedHat': 1, 'Debian': {'z': 1, 'a': {'y': 1}}}, merge={'c': 1, 'a': {'b': 2}}) }}`, "{'z': 1, 'a': {'y': 1, 'b': 2}, 'c': 1}"},
		"filter_by's base": {`{{ salt['grains.filter_by']({'Debian': {'b': 1}, 'all': {'z': 1, 'a': 1}}, base='all') }}`, "{'z': 1, 'a': 1, 'b': 1}"},
		"first pattern":    {`{{ salt['grains.filter_by']({'D*': 'first', '*': 'second'}) }}`, "first"},
		"keys of any kind": {`{{ salt['pillar.get']('none', {2: 'b', 'a': 1}) }}`, "{2: 'b', 'a': 1}"},
		"changes are own":  {`{% do pillar.users.update({'new': 1}) %}{% do pillar.list[0].update({'new': 1}) %}{{ pillar.users | list }}`, "['zoe', 'adam', 'new']"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := env.Engine.Render(t.Context(), "t", []byte(c.template), modules.TemplateVars(env, nil))
			if err != nil || got != c.want {
				t.Errorf("got  %s (%v)\nwant %s", got, err, c.want)
			}
		})
	}
	if v, err := call(t, env, "pillar.items", nil, nil); err != nil || v.(map[string]any)["users"].(map[string]any)["adam"].(map[string]any)["uid"] != int64(1) {
		t.Errorf("what a job returns is plain data: %v, %v", v, err)
	}
	_, err = env.Engine.Render(t.Context(), "t", []byte(`{% set d = {} %}{% do d.update({'d': d}) %}{{ salt['pillar.get']('none', d) }}`), modules.TemplateVars(env, nil))
	if err == nil {
		t.Error("a mapping that holds itself was taken for data")
	}
}

// TestSettingsOverride: what a run is given on top keeps the order of the settings, and its new keys follow.
func TestSettingsOverride(t *testing.T) {
	env, root := newEnv(t, map[string]string{
		"main.zy": "{{ facts.root }}/out:\n  file.managed:\n    - contents: \"{{ pillar }}\"\n",
	})
	pillar, err := settings.Parse("pillar.zy", []byte("z: 1\nb: {y: 1, c: 2}\na: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	env.Settings = func() *settings.Map { return pillar }
	over := map[string]any{"new": int64(1), "b": map[string]any{"a": int64(3), "c": int64(4)}}
	if _, err := call(t, env, "state.apply", []any{"main"}, map[string]any{"pillar": over}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "out"))
	if want := "{'z': 1, 'b': {'y': 1, 'c': 4, 'a': 3}, 'a': 1, 'new': 1}\n"; err != nil || string(got) != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}
