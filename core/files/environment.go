package files

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Base is the environment that a tree's files are in, unless they stand below @NAME at its root: that is environment NAME.
const Base = "base"

// environmentMark begins the names of environments' directories.
const environmentMark = "@"

type environmentKey struct{}

// InEnvironment makes Trees and Directories show the files of an environment in everything done with the returned context,
// as if there were no others.
func InEnvironment(ctx context.Context, name string) context.Context {
	if name == EnvironmentOf(ctx) {
		return ctx
	}
	return context.WithValue(ctx, environmentKey{}, name)
}

// EnvironmentOf is the environment that a context was made for, Base by default.
func EnvironmentOf(ctx context.Context) string {
	if name, ok := ctx.Value(environmentKey{}).(string); ok {
		return name
	}
	return Base
}

// CheckEnvironment says what is wrong with an environment's name: 1 to 64 letters, digits, '_', '.' and '-' are right.
func CheckEnvironment(name string) error {
	if name == "" || len(name) > 64 {
		return fmt.Errorf("environment %.80q: a name has 1 to 64 characters", name)
	}
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_.-", c)) {
			return fmt.Errorf("environment %q: %q is not allowed in a name: use letters, digits, '_', '.' and '-'", name, c)
		}
	}
	return nil
}

// otherEnvironment reports whether a directory @name is an environment: no other name of one could be asked for.
func otherEnvironment(name string) bool { return name != Base && CheckEnvironment(name) == nil }

// place is a clean path in an environment.
type place struct{ environment, path string }

// locate finds out what a path means: one that ends in ?saltenv=NAME is in that environment, others in the context's.
func locate(ctx context.Context, name string) (place, error) {
	p := place{environment: EnvironmentOf(ctx)}
	if path, environment, ok := strings.Cut(name, "?saltenv="); ok {
		name, p.environment = path, environment
	}
	var err error
	if p.path, err = Clean(name); err != nil {
		return p, err
	}
	if p.environment == Base && strings.HasPrefix(p.path, environmentMark) {
		return p, notExist(p.path)
	}
	if p.environment != Base {
		if err := CheckEnvironment(p.environment); err != nil {
			return p, err
		}
	}
	return p, nil
}

// root is the directory of an environment in its tree, with a slash; empty for Base.
func environmentRoot(environment string) string {
	if environment == Base {
		return ""
	}
	return environmentMark + environment + "/"
}

// inTree is the path in the whole tree.
func (p place) inTree() string {
	if p.path == "." && p.environment != Base {
		return environmentMark + p.environment
	}
	return environmentRoot(p.environment) + p.path
}

// InTree is the path in the whole tree of a path in an environment, for messages.
func InTree(environment, path string) string { return environmentRoot(environment) + path }

// seen is a file of the whole tree as the environment sees it.
func (p place) seen(info Info) Info {
	if info.Path = strings.TrimPrefix(info.Path, environmentRoot(p.environment)); info.Path == environmentMark+p.environment {
		info.Path = "."
	}
	return info
}

// seenAll is a list of files as the environment sees them: not those of others.
func (p place) seenAll(infos []Info, err error) ([]Info, error) {
	if err != nil {
		return nil, err
	}
	out := infos[:0]
	for _, info := range infos {
		if p.environment != Base || !strings.HasPrefix(info.Path, environmentMark) {
			out = append(out, p.seen(info))
		}
	}
	return out, nil
}

// Environments lists what there is in a snapshot: Base, then the others by name.
func (s *Snapshot) Environments() []string {
	found := map[string]bool{}
	for _, f := range s.manifest.files {
		if name, ok := strings.CutPrefix(f.Path, environmentMark); ok {
			if name, _, ok := strings.Cut(name, "/"); ok && otherEnvironment(name) {
				found[name] = true
			}
		}
	}
	return append([]string{Base}, slices.Sorted(maps.Keys(found))...)
}

// Environments lists what there is at the pinned or the current revision: Base, then the others by name.
func (t *Tree) Environments(ctx context.Context) ([]string, error) {
	s, err := t.at(ctx)
	if err != nil {
		return nil, err
	}
	return s.Environments(), nil
}
