package modules

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
	"strconv"
	"strings"
)

// shaCrypt is a way in which /etc/shadow keeps passwords: that of SHA-crypt, with SHA-512 or SHA-256.
type shaCrypt struct {
	newHash func() hash.Hash
	prefix  string
	// turn is how the places of three bytes of the sum become those of the next three; last are the left over ones.
	turn func(a, b, c int) (int, int, int)
	last []int
}

var (
	sha512Crypt = shaCrypt{sha512.New, "$6$", func(a, b, c int) (int, int, int) { return b + 1, c + 1, a + 1 }, []int{63}}
	sha256Crypt = shaCrypt{sha256.New, "$5$", func(a, b, c int) (int, int, int) { return c + 1, a + 1, b + 1 }, []int{31, 30}}
)

const (
	shadowDigits  = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	defaultRounds = 5000
	minRounds     = 1000
	maxRounds     = 999999999
	maxSalt       = 16
)

// passwordHash is the hash of a password as /etc/shadow has it: the one that is there if that is of this password, else one of
// SHA-512 with a new salt.
func passwordHash(password, old string) string {
	for _, crypt := range []shaCrypt{sha512Crypt, sha256Crypt} {
		rest, ok := strings.CutPrefix(old, crypt.prefix)
		if !ok {
			continue
		}
		setting := rest[:max(strings.LastIndexByte(rest, '$'), 0)]
		if subtle.ConstantTimeCompare([]byte(crypt.hash(password, setting)), []byte(old)) == 1 {
			return old
		}
	}
	return sha512Crypt.hash(password, rand.Text()[:maxSalt])
}

// hash is the line of a password. The setting is a salt, or rounds=N$ and a salt.
func (s shaCrypt) hash(password, setting string) string {
	rounds, salt, line := defaultRounds, setting, s.prefix
	if text, ok := strings.CutPrefix(setting, "rounds="); ok {
		text, rest, _ := strings.Cut(text, "$")
		if n, err := strconv.Atoi(text); err == nil {
			rounds, salt = min(max(n, minRounds), maxRounds), rest
			line += "rounds=" + strconv.Itoa(rounds) + "$"
		}
	}
	salt, _, _ = strings.Cut(salt, "$")
	salt = salt[:min(len(salt), maxSalt)]
	sum := s.sum([]byte(password), []byte(salt), rounds)
	out := []byte(line + salt + "$")
	digits := func(word, n int) {
		for range n {
			out = append(out, shadowDigits[word&63])
			word >>= 6
		}
	}
	third := (len(sum) - len(s.last)) / 3
	for a, b, c, i := 0, third, 2*third, 0; i < third; i++ {
		digits(int(sum[a])<<16|int(sum[b])<<8|int(sum[c]), 4)
		a, b, c = s.turn(a, b, c)
	}
	word := 0
	for _, place := range s.last {
		word = word<<8 | int(sum[place])
	}
	digits(word, len(s.last)+1)
	return string(out)
}

func (s shaCrypt) sum(password, salt []byte, rounds int) []byte {
	of := func(parts ...[]byte) []byte {
		h := s.newHash()
		for _, part := range parts {
			h.Write(part)
		}
		return h.Sum(nil)
	}
	// stretched is a sum repeated, up to a length.
	stretched := func(sum []byte, length int) []byte { return bytes.Repeat(sum, length/len(sum)+1)[:length] }
	other := of(password, salt, password)
	parts := [][]byte{password, salt, stretched(other, len(password))}
	for n := len(password); n > 0; n >>= 1 {
		if n&1 == 1 {
			parts = append(parts, other)
		} else {
			parts = append(parts, password)
		}
	}
	sum := of(parts...)
	p := stretched(of(bytes.Repeat(password, len(password))), len(password))
	q := stretched(of(bytes.Repeat(salt, 16+int(sum[0]))), len(salt))
	for i := range rounds {
		first, last := sum, p
		if i%2 == 1 {
			first, last = p, sum
		}
		parts := [][]byte{first}
		if i%3 != 0 {
			parts = append(parts, q)
		}
		if i%7 != 0 {
			parts = append(parts, p)
		}
		sum = of(append(parts, last)...)
	}
	return sum
}
