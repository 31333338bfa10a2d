// Package bootstrap lays the ground for an installation: "zester bootstrap" makes the keys
// and credentials of a cluster, "playground-init" all that a playground of containers needs,
// "zester install" the symlinks of this binary. None overwrites anything.
package bootstrap

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/keys"
)

// Samples are a state tree ("states") and a settings tree ("settings") for playgrounds.
//
//go:embed samples
var Samples embed.FS

type bootstrapFlags struct {
	Dir        string   `config:"-" default:"/data/auth" help:"Where to write; a master's --auth-dir."`
	Name       string   `config:"-" default:"zester" help:"Name of the cluster in its keys."`
	EnrollHost []string `config:"-" default:"localhost" help:"Host names and addresses of the masters, for enroll.crt."`
	NATSHost   []string `config:"-" name:"nats-host" default:"localhost" help:"Host names and addresses of the NATS servers, for nats.crt."`
	Resolver   string   `config:"-" default:"/var/lib/nats/resolver" help:"Where the NATS server keeps accounts, for resolver.conf."`
}

// Run is "zester bootstrap".
func Run(_ context.Context, p config.Program, args, environ []string, stdio config.Stdio) int {
	var f bootstrapFlags
	return p.Main(&f, args, environ, stdio, func(*config.Invocation) error {
		h, err := keys.NewHierarchy(f.Name)
		if err != nil {
			return err
		}
		files, err := h.Files(keys.BootstrapOptions{ResolverDir: f.Resolver, EnrollHosts: f.EnrollHost, NATSHosts: f.NATSHost})
		if err != nil {
			return err
		}
		if err := keys.WriteNew(f.Dir, files); err != nil {
			return dirError(err)
		}
		for _, file := range files {
			fmt.Fprintf(stdio.Out, "%04o %s\n", file.Mode, filepath.Join(f.Dir, file.Path))
		}
		fmt.Fprintf(stdio.Out, `
Put keys/ into a safe: no program needs it to run. Every master needs account.seed (the same one),
master.creds, enroll.crt and enroll.key; every peel enroll-ca.crt and nats-ca.crt. A NATS server
(nats-server -c FILE, or zester nats -c FILE) needs resolver.conf, nats.crt and nats.key; with all
of them in /etc/nats, such a FILE:

  tls { cert_file: "/etc/nats/nats.crt", key_file: "/etc/nats/nats.key" }
  jetstream { store_dir: "/var/lib/nats", limits { default_max_consumers: -1 } }
  include "resolver.conf"
`)
		return nil
	})
}

// dirError names the flag where a file cannot be written.
func dirError(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return fmt.Errorf("--dir: %s: %w (name a directory that can be written)", e.Path, e.Err)
	}
	return err
}

type initFlags struct {
	Dir string `config:"-" default:"/data" help:"Where to write."`
}

// RunInit is "playground-init". Running it again completes what is missing and changes nothing.
func RunInit(_ context.Context, p config.Program, args, environ []string, stdio config.Stdio) int {
	var f initFlags
	return p.Main(&f, args, environ, stdio, func(*config.Invocation) error {
		dir, err := filepath.Abs(f.Dir)
		if err != nil {
			return err
		}
		files, err := playgroundFiles(dir)
		if err != nil {
			return err
		}
		written := 0
		for _, file := range files {
			path := filepath.Join(dir, file.Path)
			if _, err := os.Lstat(path); err == nil {
				continue
			}
			mode := fs.FileMode(0o755)
			if filepath.Dir(file.Path) == "auth/keys" { // which no program needs to run
				mode = 0o700
			}
			if err := os.MkdirAll(filepath.Dir(path), mode); err != nil {
				return dirError(err)
			}
			if err := config.WriteFile(path, file.Data, file.Mode); err != nil {
				return dirError(err)
			}
			written++
			fmt.Fprintf(stdio.Out, "%04o %s\n", file.Mode, path)
		}
		if written == 0 {
			fmt.Fprintf(stdio.Out, "%s is complete already\n", dir)
		}
		return nil
	})
}

// playgroundFiles is everything a playground's volume holds. Keys that are there are kept, and
// what derives from them is made to match.
func playgroundFiles(dir string) ([]keys.File, error) {
	auth := filepath.Join(dir, "auth")
	h, err := keys.LoadHierarchy(auth, "playground")
	fresh := errors.Is(err, fs.ErrNotExist)
	if fresh {
		if _, err := os.Lstat(filepath.Join(auth, "account.seed")); err == nil {
			return nil, fmt.Errorf("%s is there but %s are not: restore the keys, or remove the directory to start anew", filepath.Join(auth, "account.seed"), filepath.Join(auth, "keys"))
		}
		h, err = keys.NewHierarchy("playground")
	}
	if err != nil {
		return nil, err
	}
	var files []keys.File
	resolver := filepath.Join(dir, "jetstream", "resolver")
	if fresh {
		made, err := h.Files(keys.BootstrapOptions{
			ResolverDir: resolver,
			EnrollHosts: []string{"master", "localhost", "127.0.0.1"},
			NATSHosts:   []string{"nats", "localhost", "127.0.0.1"},
		})
		if err != nil {
			return nil, err
		}
		for _, f := range made {
			files = append(files, keys.File{Path: filepath.Join("auth", f.Path), Data: f.Data, Mode: f.Mode})
		}
	}
	conf, err := h.ServerConfig(keys.ServerConfig{
		Name: "playground", Cert: filepath.Join(auth, "nats.crt"), Key: filepath.Join(auth, "nats.key"),
		StoreDir: filepath.Join(dir, "jetstream"), ResolverDir: resolver, Monitor: 8222,
	})
	if err != nil {
		return nil, err
	}
	client := fmt.Sprintf("# The client's configuration.\nnats_url: nats://nats:4222\nnats_ca: %s\nauth_dir: %s\n", filepath.Join(auth, "nats-ca.crt"), auth)
	files = append(files,
		keys.File{Path: "nats/nats-server.conf", Data: []byte(conf), Mode: 0o644},
		keys.File{Path: "nats/zester.yaml", Data: []byte(client), Mode: 0o644})
	samples, err := sampleFiles()
	return append(files, samples...), err
}

func sampleFiles() ([]keys.File, error) {
	var files []keys.File
	err := fs.WalkDir(Samples, "samples", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := Samples.ReadFile(path)
		files = append(files, keys.File{Path: strings.TrimPrefix(path, "samples/"), Data: data, Mode: 0o644})
		return err
	})
	return files, err
}

// WriteSamples writes the sample trees below dir, as "states" and "settings".
func WriteSamples(dir string) error {
	files, err := sampleFiles()
	if err != nil {
		return err
	}
	return keys.WriteNew(dir, files)
}
