package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// gitStates are the git.* state functions. They run the host's git.
func gitStates(env *Env) []*states.Function {
	name := Param{Name: "name", Kind: states.Text, Doc: "URL of the repository"}
	target := Param{Name: "target", Kind: states.Text, Required: true, Doc: "directory of the working copy"}
	user := Param{Name: "user", Aliases: []string{"runas"}, Kind: states.Text, Doc: "user to run git as"}
	identity := Param{Name: "identity", Kind: states.Text, Doc: "SSH key to log in with"}
	return []*states.Function{
		hostState(env, states.Function{Name: "git.latest", Doc: "Make a working copy be what a branch, tag or commit of a repository is.", Params: []Param{
			name, target, user, identity,
			{Name: "rev", Kind: states.Text, Default: "HEAD", Doc: "branch, tag or commit"},
			{Name: "branch", Kind: states.Text, Doc: "local branch, that of rev by default"},
			{Name: "depth", Kind: states.Int, Doc: "how many commits to fetch"},
			{Name: "submodules", Kind: states.Bool, Doc: "bring submodules along"},
			{Name: "force_clone", Kind: states.Bool, Doc: "replace a directory that is no working copy"},
			{Name: "force_reset", Kind: states.Bool, Doc: "throw away what was changed in the working copy"},
			{Name: "force_checkout", Kind: states.Bool, Doc: "throw away what is in the way of a checkout"},
			{Name: "force_fetch", Kind: states.Bool, Doc: "also where branches were rewritten"},
			{Name: "update_head", Kind: states.Bool, Default: true, Doc: "false only fetches"},
			{Name: "fetch_tags", Kind: states.Bool, Default: true, Doc: "fetch tags too"},
			{Name: "remote", Kind: states.Text, Default: "origin", Doc: "name of the repository in the working copy"},
		}}, func(ctx context.Context, call *states.Call) (states.Result, error) {
			return newWorkingCopy(env, call).latest(ctx)
		}),
		hostState(env, states.Function{Name: "git.cloned", Doc: "Make a working copy of a repository be there.", Params: []Param{
			name, target, user, identity,
			{Name: "branch", Kind: states.Text, Doc: "branch to check out"},
		}}, func(ctx context.Context, call *states.Call) (states.Result, error) {
			return newWorkingCopy(env, call).cloned(ctx)
		}),
	}
}

// workingCopy is the directory that a git state is about.
type workingCopy struct {
	env  *Env
	call *states.Call
	dir  string
}

func newWorkingCopy(env *Env, call *states.Call) *workingCopy {
	return &workingCopy{env, call, filepath.Clean(call.Args.Text("target"))}
}

// git runs git, in the working copy unless in is empty.
func (w *workingCopy) git(ctx context.Context, in string, words ...string) (output, error) {
	stall := strconv.Itoa(int(stallLimit.Seconds()))
	vars := map[string]any{"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": stall}
	ssh := "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ServerAliveCountMax=1 -o ConnectTimeout=" + stall + " -o ServerAliveInterval=" + stall
	if key := w.call.Args.Text("identity"); key != "" {
		ssh += " -o IdentitiesOnly=yes -i " + shellQuote(key)
	}
	vars["GIT_SSH_COMMAND"] = ssh
	return w.env.exec(ctx, command{line: shellLine(append([]string{"git"}, words...)...), direct: true, cwd: in, runas: w.call.Args.Text("user"), env: vars})
}

func (w *workingCopy) must(ctx context.Context, in string, words ...string) (string, error) {
	out, err := w.git(ctx, in, words...)
	if err == nil && out.code != 0 {
		err = fmt.Errorf("git %s failed with exit code %d: %s", words[0], out.code, public(lastLines(out.stderr)))
	}
	return out.stdout, err
}

// there reports whether the directory is a working copy; an empty directory or none is not, anything else is an error
// unless force_clone.
func (w *workingCopy) there() (bool, error) {
	if !hasTool("git") {
		return false, errors.New("there is no git on this host: install it, with a pkg.installed that this state requires")
	}
	if !filepath.IsAbs(w.dir) || strings.HasPrefix(w.call.Name, "-") || strings.HasPrefix(w.call.Args.Text("rev"), "-") {
		return false, fmt.Errorf("target %q is not an absolute path, or name or rev begins with a dash", w.dir)
	}
	entries, err := os.ReadDir(w.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	if _, err := os.Lstat(filepath.Join(w.dir, ".git")); err == nil {
		return true, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if len(entries) > 0 && !w.call.Args.Bool("force_clone") {
		return false, fmt.Errorf("%q is there and no working copy: force_clone: true replaces it", w.dir)
	}
	return false, nil
}

func (w *workingCopy) clone(ctx context.Context, words ...string) error {
	if w.call.Args.Bool("force_clone") {
		if err := os.RemoveAll(w.dir); err != nil {
			return err
		}
	}
	_, err := w.must(ctx, "", append(append([]string{"clone"}, words...), "--", w.call.Name, w.dir)...)
	return err
}

func (w *workingCopy) cloned(ctx context.Context) (states.Result, error) {
	there, err := w.there()
	if err != nil {
		return states.Result{}, err
	}
	changes := map[string]any{}
	if !there {
		changes["new"] = was(nil, public(w.call.Name))
	}
	return settle(w.call, changes, "Working copy "+w.dir, func() error {
		if branch := w.call.Args.Text("branch"); branch != "" {
			return w.clone(ctx, "--branch", branch)
		}
		return w.clone(ctx)
	})
}

var fullCommit = regexp.MustCompile(`^[0-9a-f]{40}(?:[0-9a-f]{24})?$`)

// remote finds the commit that rev is in the repository, and the branch it is the end of, if it is one.
func (w *workingCopy) remote(ctx context.Context, rev string) (commit, branch string, err error) {
	if fullCommit.MatchString(rev) {
		return rev, "", nil
	}
	text, err := w.must(ctx, "", "ls-remote", "--symref", "--", w.call.Name)
	if err != nil {
		return "", "", err
	}
	refs := map[string]string{}
	for line := range strings.Lines(text) {
		left, right, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if target, symbolic := strings.CutPrefix(left, "ref: "); symbolic && right == "HEAD" {
			branch = strings.TrimPrefix(target, "refs/heads/")
		} else if ok {
			refs[right] = left
		}
	}
	if rev == "HEAD" {
		return refs["HEAD"], branch, nil
	}
	if commit = refs["refs/heads/"+rev]; commit != "" {
		return commit, rev, nil
	}
	for _, ref := range []string{"refs/tags/" + rev + "^{}", "refs/tags/" + rev} {
		if commit = refs[ref]; commit != "" {
			return commit, "", nil
		}
	}
	if regexp.MustCompile(`^[0-9a-f]{7,}$`).MatchString(rev) {
		return "", "", nil // a short commit, which only a fetch can tell
	}
	return "", "", fmt.Errorf("%q has no branch and no tag %q", public(w.call.Name), rev)
}

func (w *workingCopy) latest(ctx context.Context) (states.Result, error) {
	args := w.call.Args
	there, err := w.there()
	if err != nil {
		return states.Result{}, err
	}
	want, branch, err := w.remote(ctx, args.Text("rev"))
	if err != nil {
		return states.Result{}, err
	}
	changes, have := map[string]any{}, ""
	if !there {
		changes["new"] = was(nil, public(w.call.Name))
	} else {
		if have, err = w.must(ctx, w.dir, "rev-parse", "HEAD"); err != nil {
			return states.Result{}, err
		}
		url, err := w.git(ctx, w.dir, "remote", "get-url", args.Text("remote"))
		if err != nil {
			return states.Result{}, err
		}
		if url.stdout != w.call.Name {
			changes["remote"] = was(public(url.stdout), public(w.call.Name))
		}
	}
	if want == "" && there {
		out, err := w.git(ctx, w.dir, "rev-parse", "--verify", "--quiet", args.Text("rev")+"^{commit}")
		if err != nil {
			return states.Result{}, err
		}
		want = out.stdout
	}
	local := args.Text("branch")
	if local == "" {
		local = branch
	}
	if !fullCommit.MatchString(want) || have != want {
		changes["revision"] = was(have, orElse(want, args.Text("rev")))
	}
	if there && local != "" && args.Bool("update_head") {
		now, err := w.git(ctx, w.dir, "symbolic-ref", "--quiet", "--short", "HEAD")
		if err != nil {
			return states.Result{}, err
		}
		if now.stdout != local {
			changes["branch"] = was(now.stdout, local)
		}
	}
	dirty := ""
	if there {
		if dirty, err = w.must(ctx, w.dir, "status", "--porcelain", "--untracked-files=no"); err != nil {
			return states.Result{}, err
		}
		if dirty != "" && args.Bool("force_reset") {
			changes["forced update"] = true
		} else if dirty != "" && changes["revision"] != nil && args.Bool("update_head") {
			return states.Result{}, fmt.Errorf("files were changed in %q: force_reset: true throws that away", w.dir)
		}
	}
	if there && !args.Bool("update_head") {
		delete(changes, "revision")
	}
	return settle(w.call, changes, "Working copy "+w.dir, func() error {
		return errors.Join(w.update(ctx, there, args.Text("rev"), want, local), w.env.unsynced.below(w.dir))
	})
}

// update clones or fetches, and checks the wanted commit out.
func (w *workingCopy) update(ctx context.Context, there bool, rev, want, local string) error {
	args := w.call.Args
	remote := args.Text("remote")
	var depth []string
	if n := args.Int("depth"); n > 0 {
		depth = []string{"--depth", strconv.FormatInt(n, 10)}
	}
	if !there {
		words := append([]string{"--no-checkout", "--origin", remote}, depth...)
		if len(depth) > 0 && !fullCommit.MatchString(rev) && rev != "HEAD" {
			words = append(words, "--branch", rev)
		}
		if err := w.clone(ctx, words...); err != nil {
			return err
		}
	} else {
		out, err := w.git(ctx, w.dir, "remote", "set-url", remote, w.call.Name)
		if err == nil && out.code != 0 {
			_, err = w.must(ctx, w.dir, "remote", "add", remote, w.call.Name)
		}
		if err != nil {
			return err
		}
		words := append([]string{"fetch"}, depth...)
		if args.Bool("fetch_tags") {
			words = append(words, "--tags")
		}
		if args.Bool("force_fetch") || args.Bool("force_reset") {
			words = append(words, "--force")
		}
		if _, err := w.must(ctx, w.dir, append(words, remote)...); err != nil {
			return err
		}
	}
	if there && !args.Bool("update_head") {
		return nil
	}
	commit, err := w.must(ctx, w.dir, "rev-parse", "--verify", orElse(want, rev)+"^{commit}")
	if err != nil {
		return err
	}
	words := []string{"checkout", "--quiet"}
	if args.Bool("force_checkout") || args.Bool("force_reset") || !there {
		words = append(words, "--force")
	}
	if local == "" {
		words = append(words, "--detach", commit)
	} else {
		// A branch that has commits of its own is not moved away from them.
		if out, err := w.git(ctx, w.dir, "rev-parse", "--verify", "--quiet", "refs/heads/"+local); err == nil && out.code == 0 && !args.Bool("force_reset") {
			ancestor, err := w.git(ctx, w.dir, "merge-base", "--is-ancestor", out.stdout, commit)
			if err != nil {
				return err
			}
			if ancestor.code != 0 {
				return fmt.Errorf("branch %q of %q is not behind %s: force_reset: true throws its commits away", local, w.dir, rev)
			}
		}
		words = append(words, "-B", local, commit)
	}
	if _, err := w.must(ctx, w.dir, words...); err != nil {
		return err
	}
	if args.Bool("submodules") {
		_, err = w.must(ctx, w.dir, "submodule", "update", "--init", "--recursive")
	}
	return err
}
