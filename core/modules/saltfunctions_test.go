package modules_test

import (
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
