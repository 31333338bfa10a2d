package keys_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"

	"github.com/ptorbus/zester/core/keys"
)

func hierarchy(t *testing.T) *keys.Hierarchy {
	t.Helper()
	h, err := keys.NewHierarchy("fleet")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

var hosts = keys.BootstrapOptions{ResolverDir: "/var/lib/nats/accounts", EnrollHosts: []string{"master", "localhost", "127.0.0.1"}, NATSHosts: []string{"nats", "::1"}}

func TestBootstrapFiles(t *testing.T) {
	h, dir := hierarchy(t), filepath.Join(t.TempDir(), "auth")
	if err := h.Write(dir, hosts); err != nil {
		t.Fatal(err)
	}
	got := map[string]fs.FileMode{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			got[strings.TrimPrefix(path, dir+"/")] = info.Mode().Perm()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]fs.FileMode{
		"operator.jwt": 0o644, "resolver.conf": 0o644, "account.seed": 0o600, "account.curve": 0o644, "master.creds": 0o600, "admin.creds": 0o600, "sys.creds": 0o600,
		"keys/operator.seed": 0o600, "keys/sys.seed": 0o600, "keys/core.seed": 0o600, "keys/enroll-ca.key": 0o600, "keys/nats-ca.key": 0o600,
		"enroll-ca.crt": 0o644, "enroll.crt": 0o644, "enroll.key": 0o600, "nats-ca.crt": 0o644, "nats.crt": 0o644, "nats.key": 0o600,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	for file, account := range map[string]string{"master.creds": h.CoreAccount(), "admin.creds": h.CoreAccount(), "sys.creds": h.SystemAccount()} {
		c, err := keys.ReadCreds(filepath.Join(dir, file))
		if err != nil || c.Account() != account || c.Name()+".creds" != file {
			t.Errorf("%s: %q of %s, %v", file, c.Name(), c.Account(), err)
		}
	}
	a, err := keys.LoadAccount(filepath.Join(dir, "account.seed"))
	if err != nil || a.Public() != h.Account().Public() {
		t.Errorf("account.seed: %v", err)
	}
	back, err := keys.LoadHierarchy(dir, "fleet")
	if err != nil || back.CoreAccount() != h.CoreAccount() || back.SystemAccount() != h.SystemAccount() || back.Account().Public() != h.Account().Public() {
		t.Errorf("read back: %v", err)
	}
}

func TestBootstrapOverwritesNothing(t *testing.T) {
	h, dir := hierarchy(t), t.TempDir()
	path := filepath.Join(dir, "sys.creds")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := h.Write(dir, hosts)
	want := path + ": file already exists and is not overwritten: name another directory, or remove it if no fleet depends on its keys"
	if !errors.Is(err, fs.ErrExist) || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("written all the same: %v, %v", entries, err)
	}
	if _, err := keys.LoadHierarchy(dir, "fleet"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// What CORE exports is what PEELS imports, and CORE alone has JetStream.
func TestAccountsAgree(t *testing.T) {
	h := hierarchy(t)
	claims := map[string]*jwt.AccountClaims{}
	for name, f := range map[string]func() (string, error){"SYS": h.SystemJWT, "CORE": h.CoreJWT, "PEELS": h.PeelsJWT} {
		token, err := f()
		if err != nil {
			t.Fatal(err)
		}
		if claims[name], err = jwt.DecodeAccountClaims(token); err != nil {
			t.Fatal(err)
		}
		if claims[name].Name != name {
			t.Errorf("%s is called %q", name, claims[name].Name)
		}
		if js := claims[name].Limits.IsJSEnabled(); js != (name == "CORE") {
			t.Errorf("%s: JetStream %v", name, js)
		}
	}
	for from, to := range map[string]string{"CORE": "PEELS", "SYS": "CORE"} {
		var exported, imported []string
		for _, e := range claims[from].Exports {
			exported = append(exported, string(e.Subject))
		}
		for _, i := range claims[to].Imports {
			if i.Account == claims[from].Subject {
				imported = append(imported, string(i.Subject))
			}
		}
		slices.Sort(exported)
		slices.Sort(imported)
		if len(exported) == 0 || !slices.Equal(exported, imported) {
			t.Errorf("%s exports %v\n%s imports %v", from, exported, to, imported)
		}
	}
	if n := len(claims["PEELS"].Exports); n != 0 {
		t.Errorf("PEELS exports %d subjects", n)
	}
	token, err := h.OperatorJWT()
	if err != nil {
		t.Fatal(err)
	}
	if o, err := jwt.DecodeOperatorClaims(token); err != nil || o.SystemAccount != h.SystemAccount() || o.Name != "fleet" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestCertificates(t *testing.T) {
	ca, err := keys.NewCA("test")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ca.Key()
	if err != nil {
		t.Fatal(err)
	}
	again, err := keys.LoadCA(ca.Cert(), key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.Cert()) {
		t.Fatal("no certificate")
	}
	for _, ca := range []*keys.CA{ca, again} {
		cert, key, err := ca.Issue([]string{"nats.example.org", "127.0.0.1", "::1"})
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{"nats.example.org", "127.0.0.1", "::1"} {
			if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
				t.Error(err)
			}
		}
		if err := pair.Leaf.VerifyHostname("other.example.org"); err == nil {
			t.Error("it holds for any host")
		}
	}
	if _, _, err := ca.Issue(nil); err == nil || err.Error() != "a certificate needs a host name or an address" {
		t.Errorf("got %v", err)
	}
	other, err := keys.NewCA("other")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.LoadCA(other.Cert(), key); err == nil || err.Error() != "the private key is not the certificate's" {
		t.Errorf("got %v", err)
	}
}
