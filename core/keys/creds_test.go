package keys_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

func peelCreds(t *testing.T, a *keys.Account, id string, ttl time.Duration) keys.Creds {
	t.Helper()
	i := newIdentity(t)
	token, err := keys.PeelJWT(a, id, i.Public(), ttl)
	if err != nil {
		t.Fatal(err)
	}
	return keys.Creds{JWT: token, Seed: i.Seed()}
}

func TestCredsRoundTrip(t *testing.T) {
	a := newAccount(t)
	c := peelCreds(t, a, "web-01", time.Hour)
	path := filepath.Join(t.TempDir(), "web-01.creds")
	if err := keys.WriteCreds(path, c); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	got, err := keys.ReadCreds(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.JWT != c.JWT || string(got.Seed) != string(c.Seed) {
		t.Error("other creds come back")
	}
	if got.Name() != "web-01" || got.Account() != a.Public() || time.Until(got.Expires()).Round(time.Minute) != time.Hour {
		t.Errorf("name %q, account %q, expires %s", got.Name(), got.Account(), got.Expires())
	}
	// What NATS' own tools do with the file.
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if token, err := jwt.ParseDecoratedJWT(data); err != nil || token != c.JWT {
		t.Errorf("nats reads %q, %v", token, err)
	}
	if _, err := jwt.ParseDecoratedUserNKey(data); err != nil {
		t.Error(err)
	}
	if forever := peelCreds(t, a, "x", 0); !forever.Expires().IsZero() {
		t.Errorf("expires %s", forever.Expires())
	}
}

func TestReadCredsErrors(t *testing.T) {
	a := newAccount(t)
	one, two := peelCreds(t, a, "one", 0), peelCreds(t, a, "two", 0)
	encode := func(c keys.Creds) string {
		data, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	mixed := strings.Replace(encode(one), string(one.Seed), string(two.Seed), 1)
	cut := encode(one)[:strings.Index(encode(one), "-----BEGIN USER NKEY")]
	for _, tt := range []struct {
		name, content string
		mode          fs.FileMode
		want          string
	}{
		{"writable by the group", encode(one), 0o620, ": mode 0620 lets others read the secret in it: chmod 600 it"},
		{"readable by all", encode(one), 0o604, ": mode 0604 lets others read the secret in it: chmod 600 it"},
		{"empty", "", 0o600, ": not a creds file: it needs a NATS user JWT and the user's seed"},
		{"a seed alone", string(one.Seed), 0o600, ": not a creds file: it needs a NATS user JWT and the user's seed"},
		{"no seed", cut, 0o600, ": not a creds file: the user's seed is missing or damaged"},
		{"another's seed", mixed, 0o600, `: the JWT is user "one"'s and the seed is another user's: take both from one creds file`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "x.creds", tt.content, tt.mode)
			if _, err := keys.ReadCreds(path); err == nil || err.Error() != path+tt.want {
				t.Errorf("got %v\nwant %s%s", err, path, tt.want)
			}
		})
	}
	path := write(t, "group.creds", encode(one), 0o640)
	if _, err := keys.ReadCreds(path); (err == nil) != (os.Geteuid() == 0) {
		t.Errorf("a group reads what is ours: root's is given to it, nobody else's: %v", err)
	}
	_, err := keys.ReadCreds("/nowhere/master.creds")
	want := `/nowhere/master.creds: file does not exist: "zester bootstrap" makes a master's and an operator's, enrollment a peel's`
	if !errors.Is(err, fs.ErrNotExist) || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if _, err := (keys.Creds{JWT: one.JWT, Seed: two.Seed}).Encode(); err == nil {
		t.Error("encoded a JWT with another's seed")
	}
}

func TestCredsFileIsReadAgain(t *testing.T) {
	a := newAccount(t)
	path := filepath.Join(t.TempDir(), "x.creds")
	first, second := peelCreds(t, a, "x", 0), peelCreds(t, a, "x", time.Hour)
	if err := keys.WriteCreds(path, first); err != nil {
		t.Fatal(err)
	}
	file, err := keys.OpenCreds(path)
	if err != nil {
		t.Fatal(err)
	}
	var o bus.Options
	file.Fill(&o)
	if o.User != "x" || o.Name != "x" {
		t.Errorf("user %q, name %q", o.User, o.Name)
	}
	expect := func(want keys.Creds) {
		t.Helper()
		token, err := o.JWT()
		if err != nil || token != want.JWT {
			t.Errorf("the JWT is not the file's (%v)", err)
		}
		sig, err := o.Sign([]byte("nonce"))
		if err != nil {
			t.Fatal(err)
		}
		user, err := keys.ParseUser(token)
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.Verify(user.Public, []byte("nonce"), sig); err != nil {
			t.Error(err)
		}
	}
	expect(first)
	if err := keys.WriteCreds(path, second); err != nil {
		t.Fatal(err)
	}
	expect(second)
	if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(second)
}

func TestUserJWTs(t *testing.T) {
	a := newAccount(t)
	i := newIdentity(t)
	token, err := keys.PeelJWT(a, "web-01.example.org", i.Public(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	u, err := keys.ParseUser(token)
	if err != nil || u.Name != "web-01.example.org" || u.Public != i.Public() || u.Account != a.Public() || u.Expires.IsZero() {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := keys.ParseUser(token[:len(token)-4] + "AAAA"); err == nil {
		t.Error("a JWT with a damaged signature is taken")
	}
	for _, tt := range []struct {
		id, public string
		ttl        time.Duration
		want       string
	}{
		{"a b", i.Public(), 0, `peel id "a b": character 2, ' ', is not allowed: use letters, digits, '.', '_' and '-'`},
		{"a>", i.Public(), 0, `peel id "a>": character 2, '>', is not allowed: use letters, digits, '.', '_' and '-'`},
		{"a", a.Public(), 0, `"` + a.Public() + `" is not a user's public key ("U...")`},
		{"a", i.Public(), -1, `a JWT's time to live is negative`},
	} {
		if _, err := keys.PeelJWT(a, tt.id, tt.public, tt.ttl); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
	h, err := keys.NewHierarchy("t")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "a b", "*", "a.>", strings.Repeat("x", 129)} {
		if _, err := h.OperatorCreds(name); err == nil {
			t.Errorf("operator %q", name)
		}
	}
}
