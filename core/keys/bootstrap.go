package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nkeys"

	"github.com/ptorbus/zester/core/config"
)

// File is one of bootstrap's, with its path below the directory bootstrap writes to.
type File struct {
	Path string
	Data []byte
	Mode fs.FileMode
}

// BootstrapOptions say what the key material is for.
type BootstrapOptions struct {
	ResolverDir string   // in resolver.conf: where the NATS server keeps accounts' JWTs
	EnrollHosts []string // host names and addresses of the masters, for enroll.crt
	NATSHosts   []string // host names and addresses of the NATS servers, for nats.crt
}

// Files are the key material of a new cluster: what masters read (account.seed, master.creds,
// enroll.crt, enroll.key), what operators do (admin.creds), what NATS servers do
// (operator.jwt, resolver.conf, nats.crt, nats.key), what peels do (enroll-ca.crt,
// nats-ca.crt), sys.creds for pushing account changes, and under keys/ what belongs in a safe.
func (h *Hierarchy) Files(o BootstrapOptions) ([]File, error) {
	operator, err := h.OperatorJWT()
	if err != nil {
		return nil, err
	}
	resolver, err := h.Resolver(o.ResolverDir)
	if err != nil {
		return nil, err
	}
	files := []File{
		{"operator.jwt", []byte(operator + "\n"), 0o644},
		{"resolver.conf", []byte(resolver), 0o644},
		{"account.curve", []byte(h.peels.Curve() + "\n"), 0o644}, // what "zester settings encrypt" needs
	}
	for _, k := range []struct {
		path string
		pair nkeys.KeyPair
	}{
		{"keys/operator.seed", h.operator.pair}, {"keys/sys.seed", h.system.pair}, {"keys/core.seed", h.core.pair},
		{"account.seed", h.peels.pair},
	} {
		seed, err := k.pair.Seed()
		if err != nil {
			return nil, err
		}
		files = append(files, File{k.path, append(seed, '\n'), 0o600})
	}
	for _, u := range []struct {
		path, name string
		create     func(string) (Creds, error)
	}{
		{"master.creds", "master", h.MasterCreds}, {"admin.creds", "admin", h.OperatorCreds}, {"sys.creds", "sys", h.SysCreds},
	} {
		creds, err := u.create(u.name)
		if err != nil {
			return nil, err
		}
		data, err := creds.Encode()
		if err != nil {
			return nil, err
		}
		files = append(files, File{u.path, data, 0o600})
	}
	for name, hosts := range map[string][]string{"enroll": o.EnrollHosts, "nats": o.NATSHosts} {
		more, err := tlsFiles(name, hosts)
		if err != nil {
			return nil, fmt.Errorf("%s.crt: %w", name, err)
		}
		files = append(files, more...)
	}
	return files, nil
}

func tlsFiles(name string, hosts []string) ([]File, error) {
	ca, err := NewCA("zester " + name)
	if err != nil {
		return nil, err
	}
	caKey, err := ca.Key()
	if err != nil {
		return nil, err
	}
	cert, key, err := ca.Issue(hosts)
	if err != nil {
		return nil, err
	}
	return []File{
		{name + "-ca.crt", ca.Cert(), 0o644},
		{name + ".crt", cert, 0o644},
		{name + ".key", key, 0o600},
		{"keys/" + name + "-ca.key", caKey, 0o600},
	}, nil
}

// Write makes the key material and writes it below dir; see WriteNew.
func (h *Hierarchy) Write(dir string, o BootstrapOptions) error {
	files, err := h.Files(o)
	if err != nil {
		return err
	}
	return WriteNew(dir, files)
}

// WriteNew writes files below dir, making directories (0700) as needed. If any of the files is
// there already it writes none and returns an error that wraps fs.ErrExist.
func WriteNew(dir string, files []File) error {
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		switch _, err := os.Lstat(path); {
		case err == nil:
			return fmt.Errorf("%s: %w and is not overwritten: name another directory, or remove it if no fleet depends on its keys", path, fs.ErrExist)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := config.WriteFile(path, f.Data, f.Mode); err != nil {
			return err
		}
	}
	return nil
}

// LoadHierarchy reads back what Write has written, to make more users or change an account.
func LoadHierarchy(dir, name string) (*Hierarchy, error) {
	h := &Hierarchy{name: name}
	for _, k := range []struct {
		path   string
		prefix nkeys.PrefixByte
		to     *holder
	}{
		{"keys/operator.seed", nkeys.PrefixByteOperator, &h.operator},
		{"keys/sys.seed", nkeys.PrefixByteAccount, &h.system},
		{"keys/core.seed", nkeys.PrefixByteAccount, &h.core},
	} {
		path := filepath.Join(dir, k.path)
		seed, err := readSecret(path, `"zester bootstrap" makes it`)
		if err != nil {
			return nil, err
		}
		pair, err := nkeys.ParseDecoratedNKey(seed)
		if err != nil {
			return nil, fmt.Errorf("%s: not a seed: restore it from a copy", path)
		}
		if *k.to, err = hold(pair); err != nil {
			return nil, err
		}
		if got := nkeys.Prefix(k.to.public); got != k.prefix {
			return nil, fmt.Errorf("%s: %s instead of %s: restore it from a copy", path, seedKind(got), seedKind(k.prefix))
		}
	}
	var err error
	h.peels, err = LoadAccount(filepath.Join(dir, "account.seed"))
	return h, err
}
