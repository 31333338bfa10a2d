package files

import (
	"fmt"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

// Signer signs pointers; *keys.Account is one.
type Signer interface {
	Public() string
	Sign(data []byte) ([]byte, error)
}

// keepManifests is how many manifests of a tree stay in the bucket, the current one among them: for peels at work with one
// of them, and for going back.
const keepManifests = 10

// pointerDomain sets these signatures apart from all others by the same key.
const pointerDomain = "zester tree pointer v1\x00"

// revision is one published state of a tree.
type revision struct {
	Number    uint64 `msgpack:"number"`
	Published int64  `msgpack:"published"` // Unix nanoseconds; grows with every revision
	Newest    int64  `msgpack:"newest"`    // modification time of what changed last in the directory, Unix nanoseconds
	Master    string `msgpack:"master"`
	Files     int    `msgpack:"files"`
	Manifest  blob   `msgpack:"manifest"`
}

// pointer is what the bucket holds under a tree's name.
type pointer struct {
	Tree    string     `msgpack:"tree"`
	Current revision   `msgpack:"current"`
	Past    []revision `msgpack:"past"` // newest first
}

type signedPointer struct {
	Pointer   []byte `msgpack:"pointer"`
	Signature []byte `msgpack:"signature"`
}

func (p *pointer) seal(s Signer) ([]byte, error) {
	body, err := bus.Marshal(p)
	if err != nil {
		return nil, err
	}
	sig, err := s.Sign(append([]byte(pointerDomain), body...))
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return bus.Marshal(signedPointer{Pointer: body, Signature: sig})
}

// openPointer verifies and decodes the pointer of a tree. A wrong signature is keys.ErrSignature.
func openPointer(tree, account string, data []byte) (*pointer, error) {
	var signed signedPointer
	if err := bus.Unmarshal(data, &signed); err != nil {
		return nil, fmt.Errorf("pointer: %w", err)
	}
	if err := keys.Verify(account, append([]byte(pointerDomain), signed.Pointer...), signed.Signature); err != nil {
		return nil, fmt.Errorf("pointer: %w", err)
	}
	var p pointer
	if err := bus.Unmarshal(signed.Pointer, &p); err != nil {
		return nil, fmt.Errorf("pointer: %w", err)
	}
	if p.Tree != tree {
		return nil, fmt.Errorf("pointer: made for tree %.80q", p.Tree)
	}
	for _, r := range append([]revision{p.Current}, p.Past...) {
		if err := r.Manifest.check(); err != nil {
			return nil, fmt.Errorf("pointer: revision %d: %w", r.Number, err)
		}
	}
	return &p, nil
}

// next is the pointer that follows p, which is nil for the first. It is never older than p by its own time, whatever the
// clocks of two masters say.
func (p *pointer) next(tree, master string, now, newest time.Time, files int, m blob) *pointer {
	r := revision{Number: 1, Published: now.UnixNano(), Newest: newest.UnixNano(), Master: master, Files: files, Manifest: m}
	if p == nil {
		return &pointer{Tree: tree, Current: r}
	}
	r.Number = p.Current.Number + 1
	r.Published = max(r.Published, p.Current.Published+1)
	past := append([]revision{p.Current}, p.Past...)
	return &pointer{Tree: tree, Current: r, Past: past[:min(len(past), keepManifests-1)]}
}

// knows reports whether the manifest is one of those before the current one.
func (p *pointer) knows(sum Digest) bool {
	for _, r := range p.Past {
		if r.Manifest.sum() == sum {
			return true
		}
	}
	return false
}
