package settings

import (
	"strings"
	"testing"

	"github.com/ptorbus/zester/core/keys"
)

// TestSecrets: what holds an !encrypted value reaches the peels that ids name, and nobody by way of facts.
func TestSecrets(t *testing.T) {
	a := newAccount(t)
	sealed, err := keys.EncryptValue(a.Curve(), []byte("s3cret"))
	if err != nil {
		t.Fatal(err)
	}
	secret := "pw: !encrypted " + sealed + "\n"
	folded := "pw: !encrypted >\n  " + sealed[:40] + "\n  " + sealed[40:] + "\n"
	const (
		byFacts    = `s.zy:1: an !encrypted value: the file may be targeted by peel ids only, and target %q in the top file, line 1, leads to it by facts, which a peel reports itself`
		dependsOn  = `s.zy:1: an !encrypted value: the file is assigned or included depending on facts, which a peel reports itself: assign it in the top file by peel ids, outside any condition on facts`
		notInFile  = `a.zy: line 2 as rendered: !encrypted: this text does not stand in the file itself: write it here, not into a file that is included or a variable`
		needsFacts = `s.zy:1: an !encrypted value: the file must be assigned without facts, which a peel reports itself, and without them the settings tree fails: `
	)
	const (
		decided  = `s.zy: line 1 as rendered: an !encrypted value: whether the peel gets it depends on facts, which a peel reports itself: move it out of conditions on facts, to a file of its own that the top file assigns by peel ids`
		quoted   = `s.zy: line 3 as rendered: an !encrypted value: whether the peel gets it depends on facts`
		unproven = `s.zy: line 1 as rendered: an !encrypted value: the file cannot be rendered without facts, which a peel reports itself, to see that they do not decide about it: move it to a file of its own, or give each fact there a default: s.zy:2: `
	)
	with := func(s, q string) string { return strings.Replace(s, "%q", q, 1) }
	peel := func(role string) Peel {
		return Peel{ID: "web-01", Facts: map[string]any{"os": "debian", "role": role}}
	}
	for name, c := range map[string]struct {
		tree map[string]string
		role string
		want string // of the settings, or the start of the error
	}{
		"by id":                 {map[string]string{"top.zy": "web-01: [s]", "s.zy": secret}, "web", `{"pw":"s3cret"}`},
		"by glob":               {map[string]string{"top.zy": "'*': [s]", "s.zy": secret}, "web", `{"pw":"s3cret"}`},
		"folded":                {map[string]string{"top.zy": "'*': [s]", "s.zy": folded}, "web", `{"pw":"s3cret"}`},
		"by group of ids":       {map[string]string{"top.zy": "'N@webs': [s]", "s.zy": secret}, "web", `{"pw":"s3cret"}`},
		"nested":                {map[string]string{"top.zy": "web-01: [s]", "s.zy": "l: [{pw: !encrypted " + sealed + "}]"}, "web", `{"l":[{"pw":"s3cret"}]}`},
		"other peel":            {map[string]string{"top.zy": "db-01: [s]", "s.zy": secret}, "web", `{}`},
		"by fact":               {map[string]string{"top.zy": "role:web: [s]", "s.zy": secret}, "web", with(byFacts, `"role:web"`)},
		"by fact and id":        {map[string]string{"top.zy": "web-* and role:web: [s]", "s.zy": secret}, "web", with(byFacts, `"web-* and role:web"`)},
		"by group of facts":     {map[string]string{"top.zy": "'N@debs': [s]", "s.zy": secret}, "web", with(byFacts, `"N@debs"`)},
		"by id and fact":        {map[string]string{"top.zy": "role:web: [s]\nweb-01: [s]", "s.zy": secret}, "web", with(byFacts, `"role:web"`)},
		"fact does not match":   {map[string]string{"top.zy": "role:db: [s]\nweb-01: [s]", "s.zy": secret}, "web", `{"pw":"s3cret"}`},
		"include":               {map[string]string{"top.zy": "web-01: [a]", "a.zy": "include: [s]", "s.zy": secret}, "web", `{"pw":"s3cret"}`},
		"include by fact":       {map[string]string{"top.zy": "role:web: [a]", "a.zy": "include: [s]", "s.zy": secret}, "web", with(byFacts, `"role:web"`)},
		"included elsewhere":    {map[string]string{"top.zy": "role:web: [b]\nweb-01: [a]", "a.zy": "include: [s]", "b.zy": "include: [s]", "s.zy": secret}, "web", with(byFacts, `"role:web"`)},
		"condition in top":      {map[string]string{"top.zy": "{% if facts.get('role') == 'db' %}web-01: [s]{% endif %}", "s.zy": secret}, "db", dependsOn},
		"name in top":           {map[string]string{"top.zy": "'{{ facts.get('role', 'x') }}': [s]", "s.zy": secret}, "web-*", dependsOn},
		"file in top":           {map[string]string{"top.zy": "web-01: [{{ facts.role }}]", "s.zy": secret}, "s", needsFacts},
		"injection in top":      {map[string]string{"top.zy": "web-01: [a]\n# {{ facts.get('role') }}\n", "a.zy": "", "s.zy": secret}, "x\nweb-*: [s]", dependsOn},
		"condition in include":  {map[string]string{"top.zy": "'*': [a]", "a.zy": "x: 1\n{% if facts.get('role') == 'db' %}include: [s]{% endif %}", "s.zy": secret}, "db", dependsOn},
		"injection in include":  {map[string]string{"top.zy": "'*': [a]", "a.zy": "x: {{ facts.role }}\n", "s.zy": secret}, "1\ninclude: [s]", dependsOn},
		"injection of a secret": {map[string]string{"top.zy": "'*': [a]", "a.zy": "x: {{ facts.role }}\n"}, "1\npw: !encrypted " + sealed, notInFile},
		"template include":      {map[string]string{"top.zy": "'*': [a]", "a.zy": "x: 1\n{% include 's.zy' %}\n", "s.zy": secret}, "web", notInFile},
		"facts beside a secret": {map[string]string{"top.zy": "web-01: [s]", "s.zy": secret + "role: {{ facts.role }}\n"}, "web", `{"pw":"s3cret","role":"web"}`},
		"condition on a fact":   {map[string]string{"top.zy": "'*': [s]", "s.zy": "{% if facts.get('role') == 'db' %}pw: !encrypted " + sealed + "{% endif %}"}, "db", decided},
		"condition on an id":    {map[string]string{"top.zy": "'*': [s]", "s.zy": "{% if id == 'web-01' %}pw: !encrypted " + sealed + "{% endif %}"}, "db", `{"pw":"s3cret"}`},
		"another's, quoted":     {map[string]string{"top.zy": "'*': [s]", "s.zy": "{% if id == 'db-01' %}pw: !encrypted " + sealed + "{% endif %}\nx: {{ facts.role }}\n"}, "1\npw: !encrypted " + sealed, quoted},
		"facts it cannot miss":  {map[string]string{"top.zy": "'*': [s]", "s.zy": secret + "x: {{ facts.role.upper() }}\n"}, "web", unproven},
		"facts with a default":  {map[string]string{"top.zy": "'*': [s]", "s.zy": secret + "x: {{ facts.get('role', 'none').upper() }}\n"}, "web", `{"pw":"s3cret","x":"WEB"}`},
		"facts beside an id":    {map[string]string{"top.zy": "web-01: [s]\nrole:web: [a]", "a.zy": "x: {{ facts.os }}", "s.zy": secret}, "web", `{"pw":"s3cret","x":"debian"}`},
		"id in top":             {map[string]string{"top.zy": "'{{ grains.id }}': [s]", "s.zy": secret}, "web", `{"pw":"s3cret"}`},
		"plaintext":             {map[string]string{"top.zy": "web-01: [s]", "s.zy": "x: 1\npw: !encrypted hunter2\n"}, "web", `s.zy:2: !encrypted: not an encrypted value: those begin with "zester:v1:"; make one with "zester settings encrypt"`},
		"not a text":            {map[string]string{"top.zy": "web-01: [s]", "s.zy": "pw: !encrypted [a]\n"}, "web", `s.zy:1: !encrypted takes a text, as "zester settings encrypt" prints it`},
		"damaged":               {map[string]string{"top.zy": "web-01: [s]", "s.zy": secret[:len(secret)-20] + "\n"}, "web", `s.zy:1: !encrypted: the encrypted value `},
		"in an include's option": {map[string]string{"top.zy": "role:web: [s]", "a.zy": "x: {{ p }}", "s.zy": "include:\n  - a: {defaults: {p: !encrypted " + sealed + "}}"}, "web",
			`s.zy:2: an !encrypted value: the file may be targeted by peel ids only`},
	} {
		t.Run(name, func(t *testing.T) {
			compiler := NewCompiler(CompilerOptions{Dir: writeTree(t, t.TempDir(), c.tree), Account: a, Groups: map[string]string{"webs": "web-*", "debs": "os:debian"}})
			data, err := compiler.Compile(t.Context(), peel(c.role))
			got := ""
			if err != nil {
				got = err.Error()
				if strings.Contains(got, "s3cret") || strings.Contains(got, "hunter2") {
					t.Errorf("the error tells the secret: %v", err)
				}
			} else {
				got = jsonText(t, data.Plain())
			}
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestSecretOfAnotherAccount(t *testing.T) {
	a, other := newAccount(t), newAccount(t)
	sealed, err := keys.EncryptValue(other.Curve(), []byte("s3cret"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = compile(t, a, web, map[string]string{"top.zy": "'*': [s]", "s.zy": "pw: !encrypted " + sealed})
	if want := `s.zy:1: !encrypted: the encrypted value was made for another account.seed, or is damaged`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
