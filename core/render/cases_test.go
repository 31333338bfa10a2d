package render_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/ptorbus/zester/core/render"
)

// files is a tree held in memory.
type files map[string]string

func (f files) Load(_ context.Context, path string) ([]byte, error) {
	s, ok := f[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(s), nil
}

// with is the tree with more files in it.
func (f files) with(more files) files {
	if len(more) == 0 {
		return f
	}
	all := maps.Clone(f)
	maps.Copy(all, more)
	return all
}

type testCase struct {
	Name          string
	Template      string
	Context       json.RawMessage
	Expected      *string
	ExpectedError string `json:"expected_error"`
	Files         files
	Strict        bool
	Keep          bool `json:"keep_trailing_newline"`
}

func loadCases(t testing.TB, path string) []testCase {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []testCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatalf("%s holds no cases", path)
	}
	return cases
}

// contextVars decodes the variables of a case, keeping the order of keys.
func contextVars(t testing.TB, raw json.RawMessage) map[string]any {
	t.Helper()
	vars, err := render.DecodeVars(raw)
	if err != nil {
		t.Fatal(err)
	}
	return vars
}

func (c testCase) engine() *render.Engine {
	opts := render.Options{Loader: c.Files, KeepTrailingNewline: c.Keep, Undefined: render.Lenient}
	if c.Strict {
		opts.Undefined = render.Strict
	}
	return render.New(opts)
}

// compare renders with the variables and compares the text, or that there is an error.
func (c testCase) compare(t *testing.T, vars json.RawMessage) {
	t.Helper()
	got, err := c.engine().Render(t.Context(), "main", []byte(c.Template), contextVars(t, vars))
	switch {
	case c.ExpectedError != "" && err == nil:
		t.Errorf("%s\ngot %q, want an error like %s", c.Template, got, c.ExpectedError)
	case c.ExpectedError == "" && err != nil:
		t.Errorf("%s (strict: %t)\n%v", c.Template, c.Strict, err)
	case c.ExpectedError == "" && got != *c.Expected:
		t.Errorf("%s (strict: %t)\ngot  %q\nwant %q", c.Template, c.Strict, got, *c.Expected)
	}
}

// TestCases holds the engine to what Jinja2 3.1 prints.
func TestCases(t *testing.T) {
	for _, c := range loadCases(t, "../../testdata/render/cases.json") {
		t.Run(c.Name, func(t *testing.T) {
			got, err := c.engine().Render(t.Context(), "main", []byte(c.Template), contextVars(t, c.Context))
			if c.ExpectedError != "" {
				if err == nil {
					t.Fatalf("%s\ngot %q, want an error like %s", c.Template, got, c.ExpectedError)
				}
				checkError(t, err, c.ExpectedError)
				return
			}
			if err != nil {
				t.Fatalf("%s\n%v", c.Template, err)
			}
			if got != *c.Expected {
				t.Errorf("%s\ngot  %q\nwant %q", c.Template, got, *c.Expected)
			}
		})
	}
}

// checkError asks that an error speaks of the quoted names Jinja2's speaks of.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	parts := strings.Split(want, "'")
	for i := 1; i < len(parts); i += 2 {
		if !strings.Contains(err.Error(), parts[i]) {
			t.Errorf("error %q does not name %q of %q", err, parts[i], want)
		}
	}
}

// TestGoldens compares with what Jinja2 printed for the templates of the
// differential check, which diff.py next to them explains.
func TestGoldens(t *testing.T) {
	const dir = "../../testdata/render/diff/"
	vars, err := os.ReadFile(dir + "context.json")
	if err != nil {
		t.Fatal(err)
	}
	shared, err := os.ReadFile(dir + "files.json")
	if err != nil {
		t.Fatal(err)
	}
	var tree files
	if err := json.Unmarshal(shared, &tree); err != nil {
		t.Fatal(err)
	}
	for _, c := range loadCases(t, dir+"goldens.json") {
		c.Files = tree.with(c.Files)
		c.compare(t, vars)
	}
}

// TestCorners compares with what Jinja2 3.1 printed for templates that once came
// out differently; those without variables of their own have context.json's.
func TestCorners(t *testing.T) {
	shared, err := os.ReadFile("../../testdata/render/diff/context.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range loadCases(t, "../../testdata/render/corners.json") {
		if c.Context == nil {
			c.Context = shared
		}
		c.compare(t, c.Context)
	}
}

// TestSalt compares with what Salt 3008 printed with its own filters and tags.
func TestSalt(t *testing.T) {
	data, err := os.ReadFile("../../testdata/render/salt.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Files files
		Cases []testCase
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Cases) == 0 {
		t.Fatal("no cases")
	}
	vars, err := os.ReadFile("../../testdata/render/diff/context.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range doc.Cases {
		c.Files = doc.Files
		got, err := c.engine().Render(t.Context(), "main", []byte(c.Template), contextVars(t, vars))
		switch {
		case c.ExpectedError != "" && err == nil:
			t.Errorf("%s\ngot %q, want an error like %s", c.Template, got, c.ExpectedError)
		case c.ExpectedError == "" && err != nil:
			t.Errorf("%s\n%v", c.Template, err)
		case c.ExpectedError == "" && got != *c.Expected:
			t.Errorf("%s\ngot  %q\nwant %q", c.Template, got, *c.Expected)
		}
	}
}
