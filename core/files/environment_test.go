package files

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/ptorbus/zester/core/server"
)

// environmental is what Tree and Directory are beside a Source.
type environmental interface {
	Source
	Environments(ctx context.Context) ([]string, error)
}

// TestEnvironments: a directory and the tree published from it show the same environments, whether they stand in it or elsewhere.
func TestEnvironments(t *testing.T) {
	srv := server.StartTest(t)
	dir := content{"f": "base", "a/x": "1", "@dev/f": "dev", "@dev/b/y": "2", "@dev/b/z": "3", "@prod/f": "left out", "@file": "none", "@a b/f": "no name", "@base/f": "no second base"}.write(t, t.TempDir())
	elsewhere := map[string]string{"prod": content{"f": "prod", "@dev/f": "no environment in an environment"}.write(t, t.TempDir())}
	p := newPublisher(t, srv, func(o *PublisherOptions) { o.Environments = map[string]map[string]string{"states": elsewhere} })
	publish(t, p, dir)
	if publish(t, p, dir) {
		t.Error("published again without a change")
	}
	for name, tree := range map[string]environmental{"directory": Dirs(dir, elsewhere), "tree": newTree(t, srv, srv.Peel(t, "p"), t.TempDir())} {
		if got, err := tree.Environments(t.Context()); err != nil || fmt.Sprint(got) != "[base dev prod]" {
			t.Errorf("%s: environments %v, %v", name, got, err)
		}
		for _, c := range []struct{ env, path, want string }{
			{Base, "f", "base"}, {"dev", "f", "dev"}, {"prod", "f", "prod"}, {"dev", "f?saltenv=base", "base"}, {Base, "f?saltenv=prod", "prod"},
			{Base, "@dev/f", "@dev/f: file does not exist"}, {Base, "@file", "@file: file does not exist"}, {"dev", "a/x", "a/x: file does not exist"},
			{"none", "f", "f: file does not exist"}, {"dev", "../f", `"../f": not a path inside the tree`}, {"../a", "x", `environment "../a": '/' is not allowed`},
			{Base, "f?saltenv=..", "@../f: file does not exist"}, {"prod", "@dev/f", "no environment in an environment"},
		} {
			ctx := InEnvironment(t.Context(), c.env)
			got, err := tree.Load(ctx, c.path)
			if err != nil {
				got = []byte(strings.ReplaceAll(err.Error(), "@"+c.env+"/", ""))
			}
			if !strings.HasPrefix(string(got), c.want) {
				t.Errorf("%s: %s in %s: %q, want %q", name, c.path, c.env, got, c.want)
			}
			if r, info, err := tree.Open(ctx, c.path); err == nil {
				data, _ := io.ReadAll(r)
				r.Close()
				if stat, err := tree.Stat(ctx, c.path); string(data) != c.want || err != nil || stat != info || info.Path != strings.Split(c.path, "?")[0] {
					t.Errorf("%s: %s in %s: %q, %+v, %+v, %v", name, c.path, c.env, data, info, stat, err)
				}
			}
		}
		for env, want := range map[string]string{Base: "a/x f", "dev": "b/y b/z f", "prod": "@dev/f f"} {
			ctx := InEnvironment(t.Context(), env)
			infos, err := tree.List(ctx, ".")
			var paths []string
			for _, info := range infos {
				paths = append(paths, info.Path)
			}
			if strings.Join(paths, " ") != want || err != nil {
				t.Errorf("%s: %s has %q, %v", name, env, paths, err)
			}
			if d, ok := tree.(Directory); ok {
				if names, err := d.Names(ctx); !slices.Equal(names, paths) || err != nil {
					t.Errorf("%s: %s has %q, %v", name, env, names, err)
				}
			}
		}
		if infos, err := tree.List(t.Context(), "b?saltenv=dev"); err != nil || len(infos) != 2 || infos[0].Path != "b/y" {
			t.Errorf("%s: %v, %v", name, infos, err)
		}
		if info, err := tree.Stat(InEnvironment(t.Context(), "dev"), "."); err != nil || info.Path != "." || !info.Dir {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	elsewhere["prod"] = t.TempDir() + "/gone"
	if _, err := p.Publish(t.Context(), "states", dir); err == nil || !strings.HasPrefix(err.Error(), `tree "states": environment "prod": directory `) {
		t.Errorf("without a directory: %v", err)
	}
}
