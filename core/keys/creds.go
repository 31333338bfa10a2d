package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
)

// Creds are a user's JWT and seed: all it takes to connect.
type Creds struct {
	JWT  string
	Seed []byte
}

// ReadCreds reads a creds file, which must be readable by its owner only, or be root's and readable
// by one group.
func ReadCreds(path string) (Creds, error) {
	data, err := readSecret(path, `"zester bootstrap" makes a master's and an operator's, enrollment a peel's`)
	if err != nil {
		return Creds{}, err
	}
	c, err := ParseCreds(data)
	if err != nil {
		return Creds{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// ParseCreds reads the content of a creds file.
func ParseCreds(data []byte) (Creds, error) {
	token, err := jwt.ParseDecoratedJWT(data)
	if err != nil {
		return Creds{}, err
	}
	user, err := ParseUser(token)
	if err != nil {
		return Creds{}, errors.New("not a creds file: it needs a NATS user JWT and the user's seed")
	}
	pair, err := jwt.ParseDecoratedUserNKey(data)
	if err != nil {
		return Creds{}, errors.New("not a creds file: the user's seed is missing or damaged")
	}
	public, err := pair.PublicKey()
	if err != nil {
		return Creds{}, err
	}
	if public != user.Public {
		return Creds{}, fmt.Errorf("the JWT is user %q's and the seed is another user's: take both from one creds file", user.Name)
	}
	seed, err := pair.Seed()
	if err != nil {
		return Creds{}, err
	}
	return Creds{JWT: token, Seed: seed}, nil
}

// WriteCreds writes a creds file, mode 0600, in the format of nats and nsc.
func WriteCreds(path string, c Creds) error {
	data, err := c.Encode()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return config.WriteFile(path, data, 0o600)
}

// Encode gives a creds file's content. The JWT and the seed must belong together.
func (c Creds) Encode() ([]byte, error) { return jwt.FormatUserConfig(c.JWT, c.Seed) }

// user reads the JWT, which the functions that make Creds have checked.
func (c Creds) user() User {
	u, err := ParseUser(c.JWT)
	if err != nil {
		return User{}
	}
	return u
}

// Account is the public key of the account the user belongs to.
func (c Creds) Account() string { return c.user().Account }

// Name is the peel id, or the master's or operator's name.
func (c Creds) Name() string { return c.user().Name }

// Expires is when the JWT ends; the zero time means never.
func (c Creds) Expires() time.Time { return c.user().Expires }

// Sign signs a server's nonce with the user's key.
func (c Creds) Sign(nonce []byte) ([]byte, error) {
	pair, err := nkeys.FromSeed(c.Seed)
	if err != nil {
		return nil, err
	}
	return pair.Sign(nonce)
}

// Fill sets in o who connects: User, JWT and Sign, and Name if it is empty.
func (c Creds) Fill(o *bus.Options) {
	o.User = c.Name()
	if o.Name == "" {
		o.Name = o.User
	}
	o.JWT = func() (string, error) { return c.JWT, nil }
	o.Sign = c.Sign
}

// CredsFile is a creds file that may be replaced while it is used: every connect reads it
// again. If it cannot be read then, what was read last is used.
type CredsFile struct {
	path string
	mu   sync.Mutex
	last Creds
}

// OpenCreds reads a creds file for the first time; its errors are ReadCreds's.
func OpenCreds(path string) (*CredsFile, error) {
	c, err := ReadCreds(path)
	if err != nil {
		return nil, err
	}
	return &CredsFile{path: path, last: c}, nil
}

// Creds is what was read last.
func (f *CredsFile) Creds() Creds {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// Fill is like Creds.Fill, for the file's content at each connect.
func (f *CredsFile) Fill(o *bus.Options) {
	f.Creds().Fill(o)
	o.JWT = func() (string, error) {
		c, err := ReadCreds(f.path)
		f.mu.Lock()
		defer f.mu.Unlock()
		if err == nil {
			f.last = c
		}
		return f.last.JWT, nil
	}
	o.Sign = func(nonce []byte) ([]byte, error) { return f.Creds().Sign(nonce) }
}

// readSecret reads a file that nobody else may read. origin says where one comes from.
func readSecret(path, origin string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe in its place must not hold it up
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: %s", path, fs.ErrNotExist, origin)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat() // of what is read, whatever the path names by now
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a file", path)
	case !private(info):
		return nil, fmt.Errorf("%s: mode %04o lets others read the secret in it: chmod 600 it", path, info.Mode().Perm())
	}
	return io.ReadAll(io.LimitReader(file, maxSecret))
}

// private says whether a secret is its reader's alone. What root owns may be read by a group: that
// is how root gives it to a service, by hand (root:zester 0640), as a systemd credential, whose
// access list shows as the group's bits, or as a Kubernetes secret with an fsGroup.
func private(info fs.FileInfo) bool {
	others := fs.FileMode(0o077)
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid == 0 {
		others &^= 0o040
	}
	return info.Mode().Perm()&others == 0
}

// maxSecret is far more than a creds file has.
const maxSecret = 1 << 20

// NATSCA is the CA file for connecting to NATS: the one asked for, else nats-ca.crt in the
// directory of credentials if it is there, else none.
func NATSCA(asked, authDir string) string {
	beside := filepath.Join(authDir, "nats-ca.crt")
	if _, err := os.Stat(beside); asked == "" && err == nil {
		return beside
	}
	return asked
}
