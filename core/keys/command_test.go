package keys_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/keys"
)

var issued = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func command() keys.Command {
	return keys.Command{
		JID: "20300102030405", Kind: keys.Run, Function: "cmd.run", Args: []any{"hostname", int64(7), []any{true, nil}},
		Kwargs: map[string]any{"test": true, "env": map[string]any{"A": 1.5}}, Operator: "alice",
		Issued: issued, Expires: issued.Add(time.Minute),
	}
}

func ids(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("peel-%06d.example.org", i)
	}
	return all
}

func sign(t testing.TB, a *keys.Account, cmd keys.Command, targets []string) *keys.Signed {
	t.Helper()
	s, err := a.SignCommand(cmd, targets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every target accepts its own delivery, and no other, whatever the number of targets.
func TestDeliveriesAreBoundToTheirTargets(t *testing.T) {
	a := newAccount(t)
	for _, n := range []int{1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 100, 257} {
		targets := ids(n)
		s := sign(t, a, command(), targets)
		v, err := keys.NewVerifier(a.Public())
		if err != nil {
			t.Fatal(err)
		}
		if s.Len() != n {
			t.Errorf("%d of %d targets", s.Len(), n)
		}
		for i, id := range targets {
			got, err := v.Verify(id, issued, s.Delivery(i))
			if err != nil || !reflect.DeepEqual(got, command()) {
				t.Fatalf("%d of %d: %+v, %v", i, n, got, err)
			}
			other := targets[rand.IntN(n)]
			if other == id {
				other = "stranger"
			}
			if _, err := v.Verify(other, issued, s.Delivery(i)); !errors.Is(err, keys.ErrNotTarget) {
				t.Fatalf("%s takes what %d of %d was sent: %v", other, i, n, err)
			}
		}
	}
}

func TestVerifyCommandRefuses(t *testing.T) {
	a, other := newAccount(t), newAccount(t)
	good := sign(t, a, command(), ids(5)).Delivery(2)
	me := ids(5)[2]
	edit := func(at int, b byte) []byte {
		d := append([]byte(nil), good...)
		d[at] ^= b
		return d
	}
	index := 1 + 64 + 32
	late, early := command().Expires.Add(time.Second), issued.Add(-keys.ClockSkew-time.Second)
	for _, tt := range []struct {
		name, account, peel string
		now                 time.Time
		data                []byte
		want                error
		text                string
	}{
		{"of another account", other.Public(), me, issued, good, keys.ErrSignature, "the signature is not the account's"},
		{"expired", a.Public(), me, late, good, keys.ErrExpired, "the command has expired, 1s ago by this peel's clock: if it has not been on its way that long, compare the clocks of this peel and its master"},
		{"from the future", a.Public(), me, early, good, keys.ErrExpired, "the command has expired: it was issued 3s in the future: compare the clocks of this peel and its master"},
		{"for another peel", a.Public(), "peel-9", issued, good, keys.ErrNotTarget, "the command is not for this peel"},
		{"another index", a.Public(), me, issued, edit(index+3, 1), keys.ErrNotTarget, "the command is not for this peel"},
		{"another count", a.Public(), me, issued, edit(index+7, 3), keys.ErrSignature, "the signature is not the account's"},
		{"an index beyond", a.Public(), me, issued, edit(index, 1), keys.ErrMalformed, "malformed command"},
		{"another version", a.Public(), me, issued, edit(0, 1), keys.ErrMalformed, "malformed command"},
		{"empty", a.Public(), me, issued, nil, keys.ErrMalformed, "malformed command"},
		{"cut in the proof", a.Public(), me, issued, good[:index+8+40], keys.ErrMalformed, "malformed command"},
		{"cut in the payload", a.Public(), me, issued, good[:len(good)-1], keys.ErrSignature, "the signature is not the account's"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := keys.VerifyCommand(tt.account, tt.peel, tt.now, tt.data)
			if !errors.Is(err, tt.want) || err.Error() != tt.text || !reflect.DeepEqual(got, keys.Command{}) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	for i := range good {
		if _, err := keys.VerifyCommand(a.Public(), me, issued, edit(i, 0x40)); err == nil {
			t.Fatalf("byte %d changed, and nobody noticed", i)
		}
	}
	for _, now := range []time.Time{issued.Add(-keys.ClockSkew), command().Expires} {
		if _, err := keys.VerifyCommand(a.Public(), me, now, good); err != nil {
			t.Errorf("at %s: %v", now, err)
		}
	}
	if _, err := keys.VerifyCommand("nonsense", me, issued, good); err == nil {
		t.Error("an account key that is none")
	}
}

// An inner node of the tree is no target, nor is a longer id that hashes like one.
func TestNodesAreNoTargets(t *testing.T) {
	a := newAccount(t)
	d := sign(t, a, command(), ids(4)).Delivery(0)
	at := 1 + 64 + 32
	binary.BigEndian.PutUint32(d[at+4:], 2) // as if the tree had two leaves
	short := append(append([]byte(nil), d[:at+8]...), d[at+8+32:]...)
	if _, err := keys.VerifyCommand(a.Public(), string(d[at+8:at+8+64]), issued, short); !errors.Is(err, keys.ErrSignature) {
		t.Errorf("got %v", err)
	}
}

func TestSignCommandRefuses(t *testing.T) {
	a := newAccount(t)
	for want, change := range map[string]func(*keys.Command){
		"sign a command: no job id":                             func(c *keys.Command) { c.JID = "" },
		"sign a command: no function":                           func(c *keys.Command) { c.Function = "" },
		`sign a command: kind "" is neither "run" nor "cancel"`: func(c *keys.Command) { c.Kind = "" },
		"sign a command: it expires before it is issued":        func(c *keys.Command) { c.Expires = c.Issued },
	} {
		cmd := command()
		change(&cmd)
		if _, err := a.SignCommand(cmd, ids(1)); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := a.SignCommand(command(), nil); err == nil || err.Error() != "sign a command: 0 targets" {
		t.Errorf("got %v", err)
	}
	cancel := command()
	cancel.Kind, cancel.Function = keys.Cancel, ""
	d := sign(t, a, cancel, ids(1)).Delivery(0)
	if got, err := keys.VerifyCommand(a.Public(), ids(1)[0], issued, d); err != nil || got.Kind != keys.Cancel {
		t.Errorf("got %+v, %v", got, err)
	}
}

// The verifier's memory neither grows without end nor takes one signature for another.
func TestVerifierForgets(t *testing.T) {
	a := newAccount(t)
	v, err := keys.NewVerifier(a.Public())
	if err != nil {
		t.Fatal(err)
	}
	first := sign(t, a, command(), ids(2))
	for n := range 300 {
		cmd := command()
		cmd.JID = fmt.Sprint(n)
		s := sign(t, a, cmd, ids(2))
		for i := range 2 {
			if got, err := v.Verify(ids(2)[i], issued, s.Delivery(i)); err != nil || got.JID != cmd.JID {
				t.Fatalf("%+v, %v", got, err)
			}
		}
		bad := s.Delivery(0)
		bad[5] ^= 1
		if _, err := v.Verify(ids(2)[0], issued, bad); !errors.Is(err, keys.ErrSignature) {
			t.Fatal(err)
		}
		if _, err := v.Verify(ids(2)[1], issued, first.Delivery(1)); err != nil {
			t.Fatal(err)
		}
	}
}

// Nothing that the account has not signed is accepted, and nothing panics.
func FuzzVerifyCommand(f *testing.F) {
	a := newAccount(f)
	genuine := map[string]bool{}
	for _, n := range []int{1, 3, 8} {
		s := sign(f, a, command(), ids(n))
		for i := range n {
			d := s.Delivery(i)
			genuine[ids(n)[i]+"\x00"+string(d)] = true
			f.Add(ids(n)[i], d)
			f.Add(ids(n)[i], d[:len(d)/2])
		}
	}
	f.Add("x", []byte{1})
	f.Add("", make([]byte, 200))
	f.Fuzz(func(t *testing.T, peel string, data []byte) {
		cmd, err := keys.VerifyCommand(a.Public(), peel, issued, data)
		if (err == nil) != genuine[peel+"\x00"+string(data)] {
			t.Errorf("%q %x: %v", peel, data, err)
		}
		if err != nil && !reflect.DeepEqual(cmd, keys.Command{}) {
			t.Errorf("an error and a command: %+v", cmd)
		}
	})
}

func BenchmarkSign100k(b *testing.B) {
	a, targets := newAccount(b), ids(100_000)
	for b.Loop() {
		s := sign(b, a, command(), targets)
		for i := range targets {
			if len(s.Delivery(i)) == 0 {
				b.Fatal("empty")
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(targets)), "ns/target")
}

func BenchmarkVerify(b *testing.B) {
	a, targets := newAccount(b), ids(100_000)
	d := sign(b, a, command(), targets).Delivery(4711)
	b.Run("one peel", func(b *testing.B) {
		for b.Loop() {
			if _, err := keys.VerifyCommand(a.Public(), targets[4711], issued, d); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(d)), "bytes")
	})
	b.Run("many in a process", func(b *testing.B) {
		v, err := keys.NewVerifier(a.Public())
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := v.Verify(targets[4711], issued, d); err != nil {
				b.Fatal(err)
			}
		}
	})
}
