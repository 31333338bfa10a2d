package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ptorbus/zester/core/facts"
	"github.com/ptorbus/zester/core/files"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/modules"
	"github.com/ptorbus/zester/core/render"
	"github.com/ptorbus/zester/core/settings"
	"github.com/ptorbus/zester/core/target"
)

// host is a host without a bus: this one, or one that is only assumed.
type host struct {
	Tree         []string `default:"/srv/zester/states" sep:"none" placeholder:"[NAME=]DIR" help:"States tree. Environments stand in it as @NAME, or have directories of their own: NAME=DIR."`
	Saltenv      string   `name:"saltenv" placeholder:"NAME" help:"Environment of state runs that name none; default all for the highstate, and base."`
	Settings     string   `placeholder:"FILE" help:"Settings: YAML or JSON."`
	SettingsTree []string `sep:"none" placeholder:"[NAME=]DIR" help:"Settings tree, with environments as --tree has them, compiled for this host as a master would; needs account.seed in the auth directory where values are encrypted."`
	FactsDir     string   `default:"/etc/zester/facts" help:"Custom facts."`
	ID           string   `name:"id" placeholder:"ID" help:"Peel id; default the host's name."`
}

// env is what functions on the host may use. given, if not nil, are its facts in place of this
// host's own.
func (h *host) env(s *session, given map[string]any) (*modules.Env, error) {
	if h.ID == "" {
		name, err := os.Hostname()
		if err != nil {
			return nil, err
		}
		h.ID = name
	}
	collect := func() map[string]any {
		if given != nil {
			return given
		}
		found, warnings := facts.Collect(s.ctx, facts.Options{ID: h.ID, Dir: h.FactsDir, Version: s.version})
		for _, w := range warnings {
			fmt.Fprintf(s.stdio.Err, "zester: %v\n", w)
		}
		return found
	}
	own := collect()
	pillar, err := h.settings(s, own)
	if err != nil {
		return nil, err
	}
	dir, environments, err := trees(h.Tree)
	if err != nil {
		return nil, fmt.Errorf("--tree %w", err)
	}
	tree := files.Dirs(dir, environments)
	return &modules.Env{
		PeelID:       h.ID,
		Facts:        func() map[string]any { return own },
		Grains:       func() map[string]any { return facts.Grains(own) },
		RefreshFacts: func(context.Context) error { own = collect(); return nil },
		Settings:     func() *settings.Map { return pillar },
		Match:        func(text string) (bool, error) { return means(text, h.ID, own, pillar) },
		Tree:         tree, Open: files.Opener(tree), Engine: render.New(render.Options{Loader: tree}),
		Saltenv: h.Saltenv, Version: s.version, Local: true,
	}, nil
}

// means says whether a target means a host. Groups are the masters' to know.
func means(text, id string, facts map[string]any, pillar *settings.Map) (bool, error) {
	t, err := target.Parse(text)
	if err == nil {
		t, err = t.In(nil)
	}
	return err == nil && t.Match(target.Peel{ID: id, Facts: facts, Settings: pillar.Plain()}), err
}

// settings come from a file or, as a master makes them, from a tree.
func (h *host) settings(s *session, own map[string]any) (*settings.Map, error) {
	switch {
	case len(h.SettingsTree) == 0:
		return readSettings(h.Settings)
	case h.Settings != "":
		return nil, errors.New("--settings and --settings-tree exclude each other")
	}
	dir, environments, err := trees(h.SettingsTree)
	if err != nil {
		return nil, fmt.Errorf("--settings-tree %w", err)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("--settings-tree %s is no directory", dir)
	}
	account, err := accountOf(s.settings.AuthDir)
	if err != nil {
		return nil, err
	}
	compiler := settings.NewCompiler(settings.CompilerOptions{Dir: dir, Environments: environments, Account: account})
	return compiler.Compile(s.ctx, settings.Peel{ID: h.ID, Facts: own})
}

// trees takes apart DIR, or base=DIR, and NAME=DIR.
func trees(words []string) (base string, environments map[string]string, err error) {
	for _, word := range words {
		name, dir, ok := strings.Cut(word, "=")
		if !ok || strings.Contains(name, "/") {
			name, dir = files.Base, word
		}
		if err := files.CheckEnvironment(name); err != nil {
			return "", nil, err
		}
		if name != files.Base {
			if environments == nil {
				environments = map[string]string{}
			}
			environments[name] = dir
			continue
		}
		if base != "" {
			return "", nil, fmt.Errorf("names two directories for base, %s and %s", base, dir)
		}
		base = dir
	}
	if base == "" {
		return "", nil, errors.New("names no directory for base")
	}
	return base, environments, nil
}

// accountOf is the cluster's account if its seed is at hand; without it encrypted values are errors.
func accountOf(dir string) (settings.Account, error) {
	path := filepath.Join(dir, "account.seed")
	account, err := keys.LoadAccount(path)
	if errors.Is(err, fs.ErrNotExist) {
		return sealed{path}, nil
	}
	return account, err
}

// sealed is an account whose seed is not at hand.
type sealed struct{ path string }

func (a sealed) refuse() error {
	return fmt.Errorf("there is no %s to open encrypted values with", a.path)
}

func (a sealed) Sign([]byte) ([]byte, error)                 { return nil, a.refuse() }
func (a sealed) Seal(string, string, []byte) ([]byte, error) { return nil, a.refuse() }
func (a sealed) DecryptValue(string) ([]byte, error)         { return nil, a.refuse() }
