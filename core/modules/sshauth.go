package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ptorbus/zester/core/states"
)

// sshStates are the ssh_auth.* state functions, for authorized_keys.
func sshStates(env *Env) []*states.Function {
	params := []Param{
		{Name: "name", Kind: states.Text, Doc: "the key, alone or as a line of authorized_keys"},
		{Name: "user", Kind: states.Text, Required: true, Doc: "whose file it is"},
		{Name: "enc", Kind: states.Text, Default: "ssh-rsa", Doc: "kind of a key that stands alone"},
		{Name: "comment", Kind: states.Text, Doc: "comment after the key"},
		{Name: "source", Kind: states.Text, Doc: "salt:// or zy:// file with keys"},
		{Name: "options", Kind: states.List, Doc: "options before the key"},
		{Name: "config", Kind: states.Text, Default: ".ssh/authorized_keys", Doc: "the file: absolute, or below the home directory; %h is that, %u the user"},
		{Name: "fingerprint_hash_type", Kind: states.Text, Doc: "accepted"},
	}
	function := func(name, doc string, edit keyEditor, params ...Param) *states.Function {
		return &states.Function{Name: "ssh_auth." + name, Doc: doc, Params: params, Mutex: "ssh_auth",
			Apply: func(ctx context.Context, call *states.Call) (states.Result, error) {
				return editKeys(ctx, env, call, edit)
			}}
	}
	return []*states.Function{
		function("present", "Let a key log in as a user.", keysPresent, params...),
		function("absent", "Let a key no longer log in as a user.", keysAbsent, params...),
		function("manage", "Let exactly these keys log in as a user.", keysManaged,
			append(slices.Clone(params), Param{Name: "ssh_keys", Kind: states.List, Required: true, Doc: "the keys"})...),
	}
}

// sshKey is a line of authorized_keys.
type sshKey struct{ options, enc, key, comment string }

var sshLine = regexp.MustCompile(`^(.*?)\s*\b((?:ssh-|ecdsa-|sk-)[\w@.-]+)\s+(AAAA[A-Za-z0-9+/=]+)(?:\s+(.*?))?\s*$`)

func parseKey(line string) (sshKey, bool) {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") {
		return sshKey{}, false
	}
	m := sshLine.FindStringSubmatch(line)
	if m == nil {
		return sshKey{}, false
	}
	return sshKey{strings.TrimSpace(m[1]), m[2], m[3], m[4]}, true
}

func (k sshKey) line() string {
	return strings.TrimSpace(strings.TrimSpace(k.options+" "+k.enc+" "+k.key) + " " + k.comment)
}

// keyEditor makes new lines of old ones, and says what it changed.
type keyEditor func(lines []string, keys []sshKey, changes map[string]any) []string

func editKeys(ctx context.Context, env *Env, call *states.Call, edit keyEditor) (states.Result, error) {
	user := call.Args.Text("user")
	keys, err := wantedKeys(ctx, env, call)
	if err != nil {
		return states.Result{}, err
	}
	a, err := env.account(ctx, user)
	if err != nil {
		return states.Result{}, err
	}
	if a == nil {
		if call.Test {
			return call.Changed(map[string]any{call.Name: "new"}, fmt.Sprintf("There is no user %s yet; once there is, the keys would be changed", user)), nil
		}
		return states.Result{}, fmt.Errorf("there is no user %q: make it with a user.present that this state requires", user)
	}
	path := strings.NewReplacer("%h", a.home, "%u", user, "%%", "%").Replace(call.Args.Text("config"))
	if !filepath.IsAbs(path) {
		path = filepath.Join(a.home, path)
	}
	at, err := env.locate(path, false)
	if err != nil {
		return states.Result{}, err
	}
	before := ""
	if at.info != nil {
		// The directory is the user's: what it leads to must not become a file that only root may write.
		if !at.info.Mode().IsRegular() {
			return states.Result{}, fmt.Errorf("%q is not a regular file", at.path)
		}
		data, err := os.ReadFile(at.path)
		if err != nil {
			return states.Result{}, err
		}
		before = string(data)
	}
	var lines []string
	for line := range strings.Lines(before) {
		lines = append(lines, strings.TrimRight(line, "\r\n"))
	}
	changes := map[string]any{}
	after := edit(lines, keys, changes)
	return settle(call, changes, fmt.Sprintf("The keys of %s", user), func() error {
		return saveKeys(env, a, at, before, after)
	})
}

// saveKeys writes the file as its user's, in a directory that is the user's alone.
func saveKeys(env *Env, a *account, at place, before string, lines []string) error {
	dir := parent(at.path)
	mode := fs.FileMode(0o700)
	own := attributes{mode: &mode, uid: &a.uid, gid: &a.gid}
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := env.makeParents(dir, attributes{}); err != nil {
			return err
		}
		if err := env.makeDirectory(dir, own); err != nil {
			return err
		}
	case err != nil:
		return err
	case !info.IsDir() && strings.HasPrefix(dir, a.home+"/"):
		return fmt.Errorf("%q is not a directory", dir)
	}
	mode = 0o600
	if at.info != nil {
		own = attributes{}
	}
	after := strings.Join(lines, "\n")
	if after != "" {
		after += "\n"
	}
	return (&fileStates{env: env}).rewrite(at, before, after, own, Args{})
}

// wantedKeys are the keys of the arguments: the name, ssh_keys, or the lines of source.
func wantedKeys(ctx context.Context, env *Env, call *states.Call) ([]sshKey, error) {
	args := call.Args
	lines := []string{call.Name}
	switch {
	case args.Has("ssh_keys"):
		lines = args.Strings("ssh_keys")
	case args.Has("source"):
		texts, err := (&fileStates{env: env}).sourceTexts(ctx, &states.Call{Name: call.Name, Args: Args{"source": args["source"]}, Vars: call.Vars})
		if err != nil {
			return nil, err
		}
		lines = nil
		for line := range strings.Lines(texts[0]) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
	}
	var keys []sshKey
	for _, line := range lines {
		key, ok := parseKey(line)
		if !ok {
			text, comment, _ := strings.Cut(strings.TrimSpace(line), " ")
			key = sshKey{enc: args.Text("enc"), key: text, comment: comment}
			if _, valid := parseKey(key.line()); !valid {
				return nil, fmt.Errorf("%.60q is not a key: write it as in authorized_keys, or the part in base64", line)
			}
		}
		if options := args.Strings("options"); len(options) > 0 {
			key.options = strings.Join(options, ",")
		}
		if args.Has("comment") && key.comment == "" {
			key.comment = args.Text("comment")
		}
		if strings.ContainsAny(key.line(), "\n\r") {
			return nil, errors.New("neither options nor comment of a key can have more than one line")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func shortKey(key sshKey) string {
	if len(key.key) > 24 {
		return key.enc + " ..." + key.key[len(key.key)-16:]
	}
	return key.enc + " " + key.key
}

func keysPresent(lines []string, keys []sshKey, changes map[string]any) []string {
	for _, key := range keys {
		i := slices.IndexFunc(lines, func(line string) bool { have, ok := parseKey(line); return ok && have.key == key.key })
		switch {
		case i < 0:
			lines = append(lines, key.line())
			changes[shortKey(key)] = "new"
		case lines[i] != key.line():
			if have, _ := parseKey(lines[i]); have == key {
				continue
			}
			lines[i] = key.line()
			changes[shortKey(key)] = "updated"
		}
	}
	return lines
}

func keysAbsent(lines []string, keys []sshKey, changes map[string]any) []string {
	return slices.DeleteFunc(lines, func(line string) bool {
		have, ok := parseKey(line)
		gone := ok && slices.ContainsFunc(keys, func(key sshKey) bool { return key.key == have.key })
		if gone {
			changes[shortKey(have)] = "removed"
		}
		return gone
	})
}

func keysManaged(lines []string, keys []sshKey, changes map[string]any) []string {
	lines = slices.DeleteFunc(lines, func(line string) bool {
		have, ok := parseKey(line)
		gone := ok && !slices.ContainsFunc(keys, func(key sshKey) bool { return key.key == have.key })
		if gone {
			changes[shortKey(have)] = "removed"
		}
		return gone
	})
	return keysPresent(lines, keys, changes)
}
