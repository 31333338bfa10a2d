package modules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// pkgrepoStates are pkgrepo.managed and pkgrepo.absent, for APT's one-line sources.
func pkgrepoStates(env *Env) []*states.Function {
	params := []Param{
		{Name: "name", Kind: states.Text, Doc: "the line: deb [signed-by=...] URL DIST COMPONENTS"},
		{Name: "file", Kind: states.Text, Doc: "file of the line, below /etc/apt/sources.list.d"},
		{Name: "humanname", Kind: states.Text, Doc: "accepted"},
		{Name: "dist", Kind: states.Text, Doc: "release, in place of that of the line"},
		{Name: "comps", Kind: states.Text, Doc: "components, with commas, in place of those of the line"},
		{Name: "architectures", Kind: states.Text, Doc: "architectures, with commas"},
		{Name: "key_url", Kind: states.Text, Doc: "where the key is that signs it: salt://, https:// or absolute path"},
		{Name: "key_text", Kind: states.Text, Doc: "the key itself"},
		{Name: "signedby", Kind: states.Text, Doc: "where to keep the key, below /etc/apt/keyrings by default"},
		{Name: "aptkey", Kind: states.Bool, Doc: "accepted; keys are kept in files of their own"},
		{Name: "clean_file", Kind: states.Bool, Doc: "make it the only line of the file"},
		{Name: "disabled", Kind: states.Bool, Doc: "keep the line as a comment"},
		{Name: "enabled", Kind: states.Bool, Doc: "false keeps the line as a comment"},
		{Name: "refresh", Kind: states.Bool, Default: true, Doc: "fetch the lists of packages after a change"},
		{Name: "refresh_db", Kind: states.Bool, Doc: "older name of refresh"},
		{Name: "consolidate", Kind: states.Bool, Doc: "accepted"},
	}
	return []*states.Function{
		hostState(env, states.Function{Name: "pkgrepo.managed", Doc: "Make APT take packages from a repository.", Params: params, Mutex: "pkg"},
			func(ctx context.Context, call *states.Call) (states.Result, error) {
				return managedRepo(ctx, env, call)
			}),
		hostState(env, states.Function{Name: "pkgrepo.absent", Doc: "Make APT not take packages from a repository.", Params: params, Mutex: "pkg"},
			func(ctx context.Context, call *states.Call) (states.Result, error) { return absentRepo(ctx, env, call) }),
	}
}

// repoLine is a line of sources.list.
type repoLine struct {
	kind, url, dist string
	options, comps  []string
}

func parseRepo(line string) (repoLine, bool) {
	var r repoLine
	line = strings.TrimSpace(line)
	kind, rest, _ := strings.Cut(line, " ")
	if kind != "deb" && kind != "deb-src" {
		return r, false
	}
	r.kind, rest = kind, strings.TrimSpace(rest)
	if inside, ok := strings.CutPrefix(rest, "["); ok {
		options, after, closed := strings.Cut(inside, "]")
		if !closed {
			return r, false
		}
		r.options, rest = strings.Fields(options), after
	}
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return r, false
	}
	r.url, r.dist, r.comps = fields[0], fields[1], fields[2:]
	return r, true
}

func (r repoLine) String() string {
	words := []string{r.kind}
	if len(r.options) > 0 {
		words = append(words, "["+strings.Join(r.options, " ")+"]")
	}
	return strings.Join(append(append(words, r.url, r.dist), r.comps...), " ")
}

// same reports whether a line is about the same packages, whatever its options and components.
func (r repoLine) same(other repoLine) bool {
	return r.kind == other.kind && strings.TrimRight(r.url, "/") == strings.TrimRight(other.url, "/") && r.dist == other.dist
}

func (r *repoLine) option(key, value string) {
	for i, o := range r.options {
		if strings.HasPrefix(o, key+"=") {
			r.options[i] = key + "=" + value
			return
		}
	}
	r.options = append(r.options, key+"="+value)
}

// wantedRepo is the line that the arguments describe, and its file.
func wantedRepo(call *states.Call) (repoLine, string, error) {
	args := call.Args
	r, ok := parseRepo(call.Name)
	if !ok {
		return r, "", fmt.Errorf("%q is not a line of APT's sources, such as deb https://example.org/debian bookworm main", call.Name)
	}
	if args.Text("dist") != "" {
		r.dist = args.Text("dist")
	}
	if args.Text("comps") != "" {
		r.comps = strings.FieldsFunc(args.Text("comps"), func(c rune) bool { return c == ',' || c == ' ' })
	}
	if args.Text("architectures") != "" {
		r.option("arch", args.Text("architectures"))
	}
	if args.Text("signedby") != "" {
		r.option("signed-by", args.Text("signedby"))
	}
	file := cmp.Or(args.Text("file"), "/etc/apt/sources.list")
	if !filepath.IsAbs(file) {
		return r, "", fmt.Errorf("file %q is not an absolute path", file)
	}
	return r, file, nil
}

func managedRepo(ctx context.Context, env *Env, call *states.Call) (states.Result, error) {
	args := call.Args
	if args.Has("key_url") && args.Has("key_text") {
		return states.Result{}, errors.New("key_url and key_text cannot be used together")
	}
	want, file, err := wantedRepo(call)
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{}
	key, keyAt, err := repoKey(ctx, env, call, &want)
	if err != nil {
		return states.Result{}, err
	}
	if key != nil {
		changes["key"] = keyAt
	}
	at, before, err := env.textFile(file)
	if err != nil {
		return states.Result{}, err
	}
	line := want.String()
	if args.Bool("disabled") || args.Has("enabled") && !args.Bool("enabled") {
		line = "# " + line
	}
	var out strings.Builder
	found := false
	for old := range strings.Lines(before) {
		have, isRepo := parseRepo(strings.TrimLeft(strings.TrimSpace(old), "# "))
		switch {
		case isRepo && have.same(want) && !found:
			if found = true; strings.TrimSpace(old) == line {
				out.WriteString(old)
			} else {
				out.WriteString(line + "\n")
			}
		case isRepo && have.same(want), args.Bool("clean_file"):
		default:
			out.WriteString(old)
		}
	}
	after := out.String()
	if !found {
		after = appended(after, line+"\n")
	}
	if after != before {
		changes["repo"] = was(public(strings.TrimSpace(before)), public(strings.TrimSpace(after)))
	}
	return settle(call, changes, "Repository "+public(want.url), func() error {
		if key != nil {
			to, old, err := env.textFile(keyAt)
			if err == nil {
				err = env.saveText(to, old, string(key), 0o644)
			}
			if err != nil {
				return err
			}
		}
		if after != before {
			if err := env.saveText(at, before, after, 0o644); err != nil {
				return err
			}
		}
		return refreshRepos(ctx, env, args)
	})
}

func refreshRepos(ctx context.Context, env *Env, args Args) error {
	if !args.Bool("refresh") || args.Has("refresh_db") && !args.Bool("refresh_db") || !hasTool("apt-get") {
		return nil
	}
	return (&packages{env: env}).refresh(ctx, true)
}

// repoKey reads the key that signs a repository, and names it in the line. The key is nil if it is in its place.
func repoKey(ctx context.Context, env *Env, call *states.Call, want *repoLine) (key []byte, path string, err error) {
	args := call.Args
	url, text := args.Text("key_url"), args.Text("key_text")
	if url == "" && text == "" {
		return nil, "", nil
	}
	for _, option := range want.options {
		if value, ok := strings.CutPrefix(option, "signed-by="); ok {
			path = value
		}
	}
	if text != "" {
		key = []byte(strings.TrimSpace(text) + "\n")
	} else {
		c, err := (&fileStates{env: env}).sourceContent(ctx, &states.Call{Name: url, Args: Args{"source": []any{url}, "skip_verify": true}, Vars: call.Vars})
		if err == nil {
			err = c.load()
		}
		if err != nil {
			return nil, "", fmt.Errorf("key_url: %w", err)
		}
		key = c.data
	}
	if path == "" {
		// APT tells by the ending how a key is written.
		ending := ".gpg"
		if strings.HasPrefix(strings.TrimSpace(string(key)), "-----BEGIN") {
			ending = ".asc"
		}
		name := strings.Map(func(r rune) rune {
			if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", r) {
				return r
			}
			return '-'
		}, strings.TrimPrefix(strings.TrimPrefix(want.url, "https://"), "http://"))
		path = "/etc/apt/keyrings/" + strings.Trim(name, "-") + ending
		want.option("signed-by", path)
	}
	have, err := os.ReadFile(path)
	if err == nil && string(have) == string(key) {
		return nil, path, nil
	}
	if err != nil && !os.IsNotExist(err) {
		return nil, "", err
	}
	return key, path, nil
}

func absentRepo(ctx context.Context, env *Env, call *states.Call) (states.Result, error) {
	want, file, err := wantedRepo(call)
	if err != nil {
		return states.Result{}, err
	}
	files := []string{file}
	if !call.Args.Has("file") {
		more, err := filepath.Glob("/etc/apt/sources.list.d/*.list")
		if err != nil {
			return states.Result{}, err
		}
		files = append(files, more...)
	}
	changes := map[string]any{}
	var steps []func() error
	for _, file := range files {
		at, before, err := env.textFile(file)
		if err != nil {
			return states.Result{}, err
		}
		var out strings.Builder
		for line := range strings.Lines(before) {
			if have, ok := parseRepo(line); !ok || !have.same(want) {
				out.WriteString(line)
			}
		}
		if after := out.String(); after != before {
			changes[file] = was(public(strings.TrimSpace(before)), public(strings.TrimSpace(after)))
			steps = append(steps, func() error { return env.saveText(at, before, after, 0o644) })
		}
	}
	return settle(call, changes, "Repository "+public(want.url), func() error {
		if err := first(steps...); err != nil {
			return err
		}
		return refreshRepos(ctx, env, call.Args)
	})
}
