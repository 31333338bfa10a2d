package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The tests of this file hold the house together: where things are, who may import whom, what stays in one place.
// They run at the top of the module.
func TestMain(m *testing.M) {
	if err := os.Chdir(".."); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

const module = "github.com/ptorbus/zester"

// goPackage is what go list tells, with paths inside the module shortened: "core/bus", "" for main.
type goPackage struct {
	Path        string `json:"ImportPath"`
	Dir         string
	GoFiles     []string
	TestFiles   []string `json:"TestGoFiles"`
	XTestFiles  []string `json:"XTestGoFiles"`
	Imports     []string
	TestImports []string
	XImports    []string `json:"XTestImports"`
}

func (p goPackage) inCore() bool { return strings.HasPrefix(p.Path, "core/") }

var packages = sync.OnceValues(func() ([]goPackage, error) {
	out, err := exec.Command("go", "list", "-e", "-json", "./...").Output()
	if err != nil {
		return nil, err
	}
	short := func(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }
	var all []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		p.Path = short(p.Path)
		for _, imports := range [][]string{p.Imports, p.TestImports, p.XImports} {
			for i := range imports {
				imports[i] = short(imports[i])
			}
		}
		all = append(all, p)
	}
})

// house returns the packages, and fails if there is nothing to examine.
func house(t *testing.T) []goPackage {
	t.Helper()
	all, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("go list finds %d packages only", len(all))
	}
	return all
}

// source is one parsed file that goes into the binary.
type source struct {
	pkg  goPackage
	path string // relative to the module
	file *ast.File
	fset *token.FileSet
}

func (s source) line(at ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(at.Pos()).Line)
}

var sources = sync.OnceValues(func() ([]source, error) {
	all, err := packages()
	if err != nil {
		return nil, err
	}
	var found []source
	fset := token.NewFileSet()
	for _, p := range all {
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				return nil, err
			}
			found = append(found, source{p, filepath.Join(p.Path, name), file, fset})
		}
	}
	return found, nil
})

func parsed(t *testing.T) []source {
	t.Helper()
	house(t)
	found, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 50 {
		t.Fatalf("only %d files examined", len(found))
	}
	return found
}

func TestTopLevel(t *testing.T) {
	allowed := []string{
		"main.go", "main_test.go", "go.mod", "go.sum", "Makefile", "README.md",
		"core", "personalities", "testdata", "packaging",
		"bin", // made by make, not in the repository
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); !strings.HasPrefix(name, ".") && !slices.Contains(allowed, name) {
			t.Errorf("%s does not belong at the top level, which holds %s", name, strings.Join(allowed, " "))
		}
	}
	for _, p := range house(t) {
		if p.Path == "" || p.Path == "core" && len(p.GoFiles) == 0 { // core itself holds these tests only
			continue
		}
		if strings.Count(p.Path, "/") != 1 {
			t.Errorf("%s: core and personalities are flat, one directory each", p.Path)
		}
		if !p.inCore() && !strings.HasPrefix(p.Path, "personalities/") {
			t.Errorf("%s: packages live in core or in personalities", p.Path)
		}
	}
}

func TestOnePackageCommentEach(t *testing.T) {
	comments := map[string][]string{}
	for _, s := range parsed(t) {
		if s.file.Doc == nil {
			continue
		}
		comments[s.pkg.Path] = append(comments[s.pkg.Path], s.path)
		if want := "Package " + s.file.Name.Name + " "; s.pkg.Path != "" && !strings.HasPrefix(s.file.Doc.Text(), want) {
			t.Errorf("%s: the package comment does not start with %q", s.path, want)
		}
	}
	for _, p := range house(t) {
		if found := comments[p.Path]; len(p.GoFiles) > 0 && len(found) != 1 {
			t.Errorf("package %q has %d package comments %q, want one in one file", p.Path, len(found), found)
		}
		for _, name := range slices.Concat(p.TestFiles, p.XTestFiles) {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Error(err)
			} else if file.Doc != nil {
				t.Errorf("%s/%s: a test file has a package comment", p.Path, name)
			}
		}
	}
}

// layers are the packages of core, low to high: each may import those before it.
var layers = strings.Fields(`config document bus keys target facts basket files render settings states modules jobs enrollment
	events beacons reactor schedule observe server`)

func TestLayers(t *testing.T) {
	for _, p := range house(t) {
		if !p.inCore() {
			continue
		}
		level := slices.Index(layers, strings.TrimPrefix(p.Path, "core/"))
		if level < 0 {
			t.Errorf("%s has no place among the layers of core: give it one in core/house_test.go", p.Path)
		}
		for _, imported := range p.Imports {
			if name, ok := strings.CutPrefix(imported, "core/"); ok && slices.Index(layers, name) >= level {
				t.Errorf("%s imports core/%s, which is not below it: imports point down only", p.Path, name)
			}
		}
	}
}

func TestImports(t *testing.T) {
	for _, rule := range []struct {
		imported string // a path, and what is below it
		from     string // importers the rule is for
		allowed  []string
		tests    bool // for tests too
		reason   string
	}{
		{"github.com/nats-io/nats.go", "", []string{"core/bus"}, false,
			"what NATS does on a lost connection, a full stream or a missing right is decided in one place"},
		{"github.com/nats-io/nats-server", "", []string{"core/server"}, true,
			"an agent has no server in its call graph, and a server is started in one way"},
		{"core/server", "", []string{"personalities/nats", "personalities/playground", "personalities/bench"}, false,
			"masters and peels are clients of a NATS somebody else runs; a benchmark compares with NATS alone on the same server"},
		{"github.com/shamaton/msgpack", "", []string{"core/bus"}, true,
			"what is on the wire is encoded and checked in one place"},
		{"github.com/nikolalohinski/gonja", "", []string{"core/render"}, true,
			"its evaluation is not Jinja's: core/render owns that"},
		{"github.com/nats-io/jwt", "", []string{"core/keys"}, true, "rights are given in one place"},
		{"github.com/alecthomas/kong", "", []string{"core/config"}, true, "every program reads its settings alike"},
		{"github.com/knadh/koanf", "", []string{"core/config"}, true, "every program reads its settings alike"},
		{"personalities", "core", nil, true, "core knows nothing of the programs made from it"},
		{"core/facts", "core/target", nil, true, "expressions are read and matched without knowing what a fact is"},
		{"log", "", nil, false, "there is one kind of log, log/slog, and it is a parameter"},
		{"flag", "", nil, false, "flags belong to the one struct core/config reads"},
		{"testing", "", []string{"core/server"}, false, "test code stays in test files; core/server alone lends its servers to the tests of others"},
		{"unsafe", "", nil, true, "nothing here is worth it"},
	} {
		examined := 0
		for _, p := range house(t) {
			imports := slices.Clone(p.Imports)
			if rule.tests {
				imports = slices.Concat(imports, p.TestImports, p.XImports)
			}
			for _, imported := range imports {
				if imported != rule.imported && !strings.HasPrefix(imported, rule.imported+"/") || rule.imported == "log" && imported != "log" {
					continue
				}
				examined++
				if strings.HasPrefix(p.Path, rule.from) && !slices.Contains(rule.allowed, p.Path) {
					t.Errorf("%q imports %s: %s", p.Path, imported, rule.reason)
				}
			}
		}
		if len(rule.allowed) > 0 && examined == 0 {
			t.Errorf("nothing imports %s any more: take the rule out", rule.imported)
		}
	}
}

// In core, streams, arguments and the end of the process are parameters or return values.
func TestCoreLeavesTheProcessAlone(t *testing.T) {
	forbidden := map[string][]string{
		"os":   {"Exit", "Stdin", "Stdout", "Stderr", "Args"},
		"fmt":  {"Print", "Printf", "Println"},
		"slog": {"Default", "SetDefault", "Debug", "Info", "Warn", "Error"},
	}
	for _, s := range parsed(t) {
		if !s.pkg.inCore() {
			continue
		}
		ast.Inspect(s.file, func(node ast.Node) bool {
			selector, ok := node.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if name, ok := selector.X.(*ast.Ident); ok && slices.Contains(forbidden[name.Name], selector.Sel.Name) {
				t.Errorf("%s: %s.%s does not belong in core", s.line(node), name.Name, selector.Sel.Name)
			}
			return true
		})
	}
}

// stringsIn calls each with every string literal of a file, import paths and tags left out.
func stringsIn(s source, each func(at ast.Node, text string)) {
	ast.Inspect(s.file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			return node.Tag == nil
		case *ast.BasicLit:
			if text, err := strconv.Unquote(node.Value); err == nil && node.Kind == token.STRING {
				each(node, text)
			}
		}
		return true
	})
}

func TestSubjectsAreNamedInOnePlace(t *testing.T) {
	second := map[string]bool{} // the tokens after "zester." that core/bus uses
	pattern := regexp.MustCompile(`zester\.([a-z]+)\.`)
	for _, s := range parsed(t) {
		if s.pkg.Path == "core/bus" {
			stringsIn(s, func(_ ast.Node, text string) {
				for _, found := range pattern.FindAllStringSubmatch(text, -1) {
					second[found[1]] = true
				}
			})
		}
	}
	for _, token := range []string{"cmd", "job", "submit", "event", "rec"} {
		if !second[token] {
			t.Fatalf("core/bus has no subject zester.%s: only %v found", token, slices.Sorted(maps.Keys(second)))
		}
	}
	for _, s := range parsed(t) {
		if s.pkg.Path == "core/bus" {
			continue
		}
		stringsIn(s, func(at ast.Node, text string) {
			subject := strings.Contains(text, "$KV.") || strings.Contains(text, "$JS.")
			for _, found := range pattern.FindAllStringSubmatch(text, -1) {
				subject = subject || second[found[1]]
			}
			if subject {
				t.Errorf("%s: %q: subjects are named in core/bus", s.line(at), text)
			}
		})
	}
}

func TestBucketsAreNamedInOnePlace(t *testing.T) {
	buckets := map[string]string{}
	for _, s := range parsed(t) {
		for _, decl := range s.file.Decls {
			if group, ok := decl.(*ast.GenDecl); ok && s.pkg.Path == "core/bus" && group.Tok == token.CONST {
				for _, spec := range group.Specs {
					spec := spec.(*ast.ValueSpec)
					if name := spec.Names[0].Name; strings.HasPrefix(name, "Bucket") {
						text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
						if err != nil {
							t.Fatal(err)
						}
						buckets[text] = name
					}
				}
			}
		}
	}
	if len(buckets) < 9 {
		t.Fatalf("core/bus declares %d buckets only: %v", len(buckets), buckets)
	}
	// The names are ordinary words; they stand for buckets as arguments of what core/bus offers.
	takesBucket := regexp.MustCompile(`^(Get|GetMany|Put|Create|Update|Delete|Watch|Hints|PeelGet|PeelBatch|Republished|DirectGet|ValueSubject|WatchSubjects)$`)
	for _, s := range parsed(t) {
		if !slices.Contains(s.pkg.Imports, "core/bus") {
			continue
		}
		ast.Inspect(s.file, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !takesBucket.MatchString(method.Sel.Name) {
				return true
			}
			for _, argument := range call.Args[:min(2, len(call.Args))] {
				if literal, ok := argument.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					if name := buckets[strings.Trim(literal.Value, "`\"")]; name != "" {
						t.Errorf("%s: %s is bus.%s", s.line(node), literal.Value, name)
					}
				}
			}
			return true
		})
	}
}

func TestNothingIsLeftUndone(t *testing.T) {
	unfinished := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b|(?i)not (yet )?imple` + `mented`)
	for _, p := range house(t) {
		for _, name := range slices.Concat(p.GoFiles, p.TestFiles, p.XTestFiles) {
			content, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Error(err)
			}
			for i, line := range strings.Split(string(content), "\n") {
				if found := unfinished.FindString(line); found != "" {
					t.Errorf("%s:%d: %q: finish it or leave it out", filepath.Join(p.Path, name), i+1, found)
				}
			}
		}
	}
}
