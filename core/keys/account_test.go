package keys_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/ptorbus/zester/core/keys"
)

func newAccount(t testing.TB) *keys.Account {
	t.Helper()
	pair, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	a, err := keys.NewAccount(seed)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newIdentity(t testing.TB) *keys.Identity {
	t.Helper()
	i, err := keys.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func write(t *testing.T, name, content string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// A fixed seed, whose keys must stay what they are: the settings of a running fleet depend on it.
const (
	fixedSeed   = "SAAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4HYMHI"
	fixedPublic = "AAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3QPZV"
	fixedCurve  = "XCKGGXXGURJLIRR52SHE4HRZZQWUKCSQVOYKDM4P5ZEJVSQ4XTGX3XW3"
)

func TestAccountFileGivesTheSameKeysEverywhere(t *testing.T) {
	for _, content := range []string{fixedSeed, fixedSeed + "\n", "  " + fixedSeed + "\r\n"} {
		a, err := keys.LoadAccount(write(t, "account.seed", content, 0o600))
		if err != nil {
			t.Fatal(err)
		}
		if a.Public() != fixedPublic || a.Curve() != fixedCurve {
			t.Errorf("public %s, curve %s", a.Public(), a.Curve())
		}
	}
}

func TestLoadAccountErrors(t *testing.T) {
	user := newIdentity(t)
	for _, tt := range []struct {
		name, content string
		mode          fs.FileMode
		want          string
	}{
		{"wrong kind", string(user.Seed()), 0o600, `: a user seed instead of an account seed ("SA..."): it must be the seed of the PEELS account, as made by "zester bootstrap"`},
		{"damaged", fixedSeed[:40], 0o600, `: not a seed: it must be the seed of the PEELS account, as made by "zester bootstrap"`},
		{"empty", "", 0o600, `: not a seed: it must be the seed of the PEELS account, as made by "zester bootstrap"`},
		{"readable", fixedSeed, 0o604, `: mode 0604 lets others read the secret in it: chmod 600 it`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "account.seed", tt.content, tt.mode)
			_, err := keys.LoadAccount(path)
			if err == nil || err.Error() != path+tt.want {
				t.Errorf("got %v\nwant %s%s", err, path, tt.want)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "account.seed")
	_, err := keys.LoadAccount(path)
	want := path + `: file does not exist: "zester bootstrap" makes one, and every master needs a copy of the same`
	if !errors.Is(err, fs.ErrNotExist) || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestSignAndVerify(t *testing.T) {
	a, b := newAccount(t), newAccount(t)
	sig, err := a.Sign([]byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Verify(a.Public(), []byte("data"), sig); err != nil {
		t.Error(err)
	}
	for _, err := range []error{
		keys.Verify(b.Public(), []byte("data"), sig), keys.Verify(a.Public(), []byte("date"), sig), keys.Verify(a.Public(), []byte("data"), sig[1:]),
	} {
		if !errors.Is(err, keys.ErrSignature) {
			t.Errorf("got %v", err)
		}
	}
	if err := keys.Verify("nonsense", nil, sig); err == nil || errors.Is(err, keys.ErrSignature) {
		t.Errorf("a public key that is none: %v", err)
	}
}

func TestSealedDataReachesOnePeelForOneUse(t *testing.T) {
	a, other := newAccount(t), newAccount(t)
	web, db := newIdentity(t), newIdentity(t)
	secret := []byte("password: hunter2")
	sealed, err := a.Seal(web.Curve(), "settings:web", secret)
	if err != nil {
		t.Fatal(err)
	}
	got, at, err := web.OpenDated(a.Public(), "settings:web", sealed)
	if err != nil || string(got) != string(secret) {
		t.Fatalf("got %q, %v", got, err)
	}
	if d := time.Since(at); d < 0 || d > time.Minute {
		t.Errorf("sealed %s ago", d)
	}
	if strings.Contains(string(sealed), "hunter2") || strings.Contains(string(sealed), "settings:web") {
		t.Error("the seal shows what is in it")
	}
	check := func(name string, i *keys.Identity, account, context string, data []byte, want error) {
		t.Helper()
		if got, err := i.Open(account, context, data); !errors.Is(err, want) || got != nil {
			t.Errorf("%s: got %q, %v; want %v", name, got, err, want)
		}
	}
	check("wrong peel", db, a.Public(), "settings:web", sealed, keys.ErrNotForPeel)
	check("wrong account", web, other.Public(), "settings:web", sealed, keys.ErrSignature)
	check("wrong context", web, a.Public(), "settings:db", sealed, keys.ErrContext)
	check("no context", web, a.Public(), "", sealed, keys.ErrContext)
	check("empty", web, a.Public(), "settings:web", nil, keys.ErrNotForPeel)
	for i := range sealed {
		tampered := append([]byte(nil), sealed...)
		tampered[i] ^= 1
		if _, err := web.Open(a.Public(), "settings:web", tampered); err == nil {
			t.Fatalf("byte %d changed, and nobody noticed", i)
		}
	}
	for n := range sealed {
		check("cut short", web, a.Public(), "settings:web", sealed[:n], keys.ErrNotForPeel)
	}
	// A forger can seal to anyone, but not sign.
	forged, err := other.Seal(web.Curve(), "settings:web", []byte("evil"))
	if err != nil {
		t.Fatal(err)
	}
	check("forged", web, a.Public(), "settings:web", forged, keys.ErrSignature)
	if _, err := a.Seal("nonsense", "c", secret); err == nil {
		t.Error("sealed to nobody")
	}
}

func TestEncryptedValues(t *testing.T) {
	a, other := newAccount(t), newAccount(t)
	for _, secret := range []string{"", "x", "two\nlines", strings.Repeat("long ", 1000)} {
		text, err := keys.EncryptValue(a.Curve(), []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(text, " \n") || !strings.HasPrefix(text, "zester:v1:") {
			t.Errorf("not one word: %.40q", text)
		}
		folded := " " + text[:30] + "\n    " + text[30:] + "\n"
		for _, in := range []string{text, folded} {
			if got, err := a.DecryptValue(in); err != nil || string(got) != secret {
				t.Errorf("got %q, %v", got, err)
			}
		}
		for in, want := range map[string]string{
			text[:len(text)-8]: "the encrypted value was made for another account.seed, or is damaged",
			text + "é":         "the encrypted value is damaged: it is not base64",
			"hunter2":          `not an encrypted value: those begin with "zester:v1:"; make one with "zester settings encrypt"`,
			"zester:v1:":       "the encrypted value was made for another account.seed, or is damaged",
		} {
			if _, err := a.DecryptValue(in); err == nil || err.Error() != want {
				t.Errorf("%.30q: got %v, want %s", in, err, want)
			}
		}
		if _, err := other.DecryptValue(text); err == nil {
			t.Error("another account reads it")
		}
	}
}

func TestIdentityFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peel.seed")
	first, err := keys.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := keys.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	if first.Public() != again.Public() || first.Curve() != again.Curve() {
		t.Error("the second load gives another identity")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("SU-damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = keys.LoadOrCreate(path)
	if want := path + ": not a seed: restore it, or remove it to enroll this peel anew"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if left, err := os.ReadFile(path); err != nil || string(left) != "SU-damaged" {
		t.Errorf("the damaged file was replaced: %q, %v", left, err)
	}
	if _, err := keys.LoadIdentity([]byte(fixedSeed)); err == nil || err.Error() != `an account seed instead of a user seed ("SU...")` {
		t.Errorf("got %v", err)
	}
}
