package enrollment

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/nats-io/nkeys"

	"github.com/ptorbus/zester/core/bus"
)

// The HTTPS API: paths, bodies and what is signed.
const (
	pathChallenge = "/v1/challenge"
	pathEnroll    = "/v1/enroll"
	pathCreds     = "/v1/creds"
)

type challengeRequest struct {
	ID     string `json:"id"`
	Public string `json:"public"`
}

type challengeReply struct {
	Nonce string `json:"nonce"`
}

type enrollRequest struct {
	ID        string            `json:"id"`
	Public    string            `json:"public"`
	Curve     string            `json:"curve"`
	Facts     map[string]string `json:"facts,omitempty"`
	Nonce     string            `json:"nonce"`
	Signature []byte            `json:"signature"`
}

type credsRequest struct {
	ID        string `json:"id"`
	Public    string `json:"public"`
	Nonce     string `json:"nonce"`
	Signature []byte `json:"signature"`
}

// stateReply answers an enroll request, and a creds request that has to wait.
type stateReply struct {
	State State `json:"state"`
}

type credsReply struct {
	JWT     string `json:"jwt"`
	Account string `json:"account"`
}

type errorReply struct {
	Error string `json:"error"`
}

// statement is what a signature stands for: a purpose and the parts, each with its length so that no two lists of parts
// give the same bytes. The first byte occurs in no UTF-8 text: a NATS server, which chooses the nonce that a connecting
// peel signs and sends it as JSON, cannot pass off a statement as one.
func statement(purpose string, parts ...string) []byte {
	b := []byte("\xffzester enrollment v1\x00")
	for _, p := range append([]string{purpose}, parts...) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

func (r enrollRequest) statement() []byte {
	parts := []string{r.ID, r.Public, r.Curve, r.Nonce}
	for _, name := range slices.Sorted(maps.Keys(r.Facts)) {
		parts = append(parts, name, r.Facts[name])
	}
	return statement("enroll", parts...)
}

func (r credsRequest) statement() []byte {
	return statement("creds", r.ID, r.Public, r.Nonce)
}

// What a peel may tell of itself when it asks to enroll: enough for an operator to recognise it.
const (
	maxFacts     = 16
	maxFactName  = 64
	maxFactValue = 256
	maxFactsSize = 1024 // of all names and values; bounds the record
)

func (r challengeRequest) check() error { return checkPeel(r.ID, r.Public) }

func (r credsRequest) check() error { return checkPeel(r.ID, r.Public) }

func (r enrollRequest) check() error {
	if err := checkPeel(r.ID, r.Public); err != nil {
		return err
	}
	if !nkeys.IsValidPublicCurveKey(r.Curve) {
		return fmt.Errorf("curve %.60q is not a public curve key (\"X...\")", r.Curve)
	}
	if len(r.Facts) > maxFacts {
		return fmt.Errorf("%d facts are more than %d", len(r.Facts), maxFacts)
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(r.Facts)) {
		value := r.Facts[name]
		if name == "" || len(name) > maxFactName || len(value) > maxFactValue {
			return fmt.Errorf("fact %.64q: use names of 1 to %d bytes and values of up to %d", name, maxFactName, maxFactValue)
		}
		if !printable(name) || !printable(value) {
			return fmt.Errorf("fact %q: %q has characters that cannot be shown", name, value)
		}
		size += len(name) + len(value)
	}
	if size > maxFactsSize {
		return fmt.Errorf("the facts have %d bytes, more than %d", size, maxFactsSize)
	}
	return nil
}

func checkPeel(id, public string) error {
	if err := bus.CheckPeelID(id); err != nil {
		return err
	}
	if !nkeys.IsValidPublicUserKey(public) {
		return fmt.Errorf("public %.60q is not a public user key (\"U...\")", public)
	}
	return nil
}

// printable keeps escape sequences and invisible characters off an operator's terminal.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if !unicode.IsPrint(c) {
			return false
		}
	}
	return true
}

// maxBody bounds a request's body and, separately, its headers.
const maxBody = 16 << 10

// decode reads one JSON object without unknown fields and nothing after it. The caller bounds the body.
func decode(body io.Reader, v any) error {
	data, err := io.ReadAll(body)
	switch {
	case err != nil:
		return err
	case !utf8.Valid(data):
		return errors.New("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("the body is not the JSON that is asked for: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("the body goes on after the JSON object")
	}
	return nil
}
