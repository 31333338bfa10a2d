package render

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	crand "crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"unicode/utf8"
)

// saltHashFilters are Salt's digests, encodings, random texts and the filters
// that look at the local machine.
func saltHashFilters() map[string]filterFunc {
	return map[string]filterFunc{
		"md5": digest(md5.New), "sha1": digest(sha1.New), "sha256": digest(sha256.New), "sha512": digest(sha512.New),
		"base64_encode": filterBase64Encode, "base64_decode": filterBase64Decode,
		"hmac": filterHMAC, "hmac_compute": filterHMACCompute, "uuid": filterUUID,
		"random_hash": filterRandomHash, "rand_str": filterRandomHash, "random_str": filterRandomStr,
		"file_hashsum": filterFileHash, "is_empty": filterIsEmpty, "is_text_file": filterIsText, "is_bin_file": filterIsBinary,
		"list_files": filterListFiles, "which": filterWhich, "get_uid": filterUID,
		"http_query": refuse("http_query", "call salt['cmd.run']('curl -fsS URL') instead"),
	}
}

func octets(v any) []byte {
	if b, ok := v.([]byte); ok {
		return b
	}
	return []byte(wantStr(v))
}

func digest(make func() hash.Hash) filterFunc {
	return func(_ *frame, v any, a args) any {
		a.none("digest")
		h := make()
		h.Write(octets(v))
		return hex.EncodeToString(h.Sum(nil))
	}
}

// hashByName is hashlib's constructor.
func hashByName(name string) hash.Hash {
	switch name {
	case "md5":
		return md5.New()
	case "sha1":
		return sha1.New()
	case "sha224":
		return sha256.New224()
	case "sha256":
		return sha256.New()
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	}
	throw("ValueError", "Invalid hash type: %s", name)
	return nil
}

func filterBase64Encode(_ *frame, v any, a args) any {
	a.none("base64_encode")
	return base64.StdEncoding.EncodeToString(octets(v))
}

func filterBase64Decode(_ *frame, v any, a args) any {
	a.none("base64_decode")
	s := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/' || r == '=' {
			return r
		}
		return -1
	}, string(octets(v)))
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		throw("ValueError", "base64_decode: %s", err)
	}
	if utf8.Valid(b) {
		return string(b)
	}
	return b
}

func filterHMAC(_ *frame, v any, a args) any {
	b := a.bind("hmac", 2, "shared_secret", "challenge_hmac")
	m := hmac.New(sha256.New, octets(b[0]))
	m.Write(octets(v))
	want := base64.StdEncoding.EncodeToString(m.Sum(nil))
	return hmac.Equal([]byte(want), octets(b[1]))
}

func filterHMACCompute(_ *frame, v any, a args) any {
	m := hmac.New(sha256.New, octets(a.bind("hmac_compute", 1, "shared_secret")[0]))
	m.Write(octets(v))
	return hex.EncodeToString(m.Sum(nil))
}

// saltNamespace is the UUID namespace Salt's uuid filter works in.
var saltNamespace = [16]byte{0x91, 0x63, 0x3e, 0xbf, 0x1c, 0x86, 0x5e, 0x33, 0x93, 0x5a, 0x28, 0x06, 0x1f, 0x4b, 0x48, 0x0e}

func filterUUID(_ *frame, v any, a args) any {
	a.none("uuid")
	h := sha1.New()
	h.Write(saltNamespace[:])
	h.Write(octets(v))
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

func filterRandomHash(_ *frame, v any, a args) any {
	b := a.bind("random_hash", 0, "hash_type")
	name := "md5"
	if h := or(b[0], nil); h != nil {
		name = wantStr(h)
	}
	h := hashByName(name)
	random := make([]byte, 32)
	_, _ = crand.Read(random) // never fails
	h.Write(random)
	return hex.EncodeToString(h.Sum(nil))
}

// filterRandomStr makes a random text of the given length, of the characters
// that are asked for.
func filterRandomStr(_ *frame, v any, a args) any {
	b := a.bind("random_str", 0, "chars", "lowercase", "uppercase", "digits", "punctuation", "whitespace", "printable")
	n := wantInt(v)
	chars := ""
	if c := or(b[0], nil); c != nil {
		chars = wantStr(c)
	} else {
		const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
		for i, set := range []string{"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", punctuation, " \t\n\r"} {
			if truth(or(b[i+1], i < 4)) {
				chars += set
			}
		}
	}
	runes := []rune(chars)
	if n < 0 || len(runes) == 0 {
		throw("ValueError", "random_str needs a length and characters to choose from")
	}
	checkText(n)
	random := make([]byte, 2*n)
	_, _ = crand.Read(random) // never fails
	var out bytes.Buffer
	for i := range n {
		out.WriteRune(runes[(int(random[2*i])<<8|int(random[2*i+1]))%len(runes)])
	}
	return out.String()
}
