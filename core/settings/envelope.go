package settings

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/document"
	"github.com/ptorbus/zester/core/keys"
)

// Account is the masters' key, as far as settings need it; *keys.Account is one.
type Account interface {
	Sign(data []byte) ([]byte, error)
	Seal(peelCurve, context string, plaintext []byte) ([]byte, error)
	DecryptValue(text string) ([]byte, error)
}

var _ Account = (*keys.Account)(nil)

// envelope is what the bucket holds for a peel. What is outside Sealed is for masters: whoever cannot compute the
// digests cannot make them believe it, and a peel does not look at it.
type envelope struct {
	Sealed      []byte `msgpack:"sealed"`
	Serial      int64  `msgpack:"serial"`
	Mark        []byte `msgpack:"mark"`        // serialMark
	Fingerprint []byte `msgpack:"fingerprint"` // of everything
}

// parcel is what a master has for a peel: its settings, and of each group of peels whether it belongs to it. What else a group
// is made of stays with the masters.
type parcel struct {
	data   *Map
	groups map[string]bool
}

// content is a parcel as it is sealed. The serial is the time of sealing in Unix nanoseconds, and always more than that of the
// one before. Data is a Map as pack writes it, since MessagePack's own maps come back without their order.
type content struct {
	Serial int64           `msgpack:"serial"`
	Data   any             `msgpack:"data"`
	Groups map[string]bool `msgpack:"groups"`
}

func sealContext(id string) string { return "settings:" + id }

func seal(a Account, id, curve string, serial int64, p parcel) ([]byte, error) {
	packed, err := pack(p.data, 0)
	if err != nil {
		return nil, err
	}
	plain, err := bus.Marshal(content{Serial: serial, Data: packed, Groups: p.groups})
	if err != nil {
		return nil, err
	}
	return a.Seal(curve, sealContext(id), plain)
}

// open reads an envelope as the peel it was made for.
func open(identity *keys.Identity, account, id string, data []byte) (serial int64, p parcel, err error) {
	var e envelope
	if err := bus.Unmarshal(data, &e); err != nil {
		return 0, parcel{}, err
	}
	plain, err := identity.Open(account, sealContext(id), e.Sealed)
	if err != nil {
		return 0, parcel{}, err
	}
	var c content
	if err := bus.Unmarshal(plain, &c); err != nil {
		return 0, parcel{}, err
	}
	v, err := unpack(bus.Plain(c.Data))
	if err != nil {
		return 0, parcel{}, err
	}
	m, ok := v.(*Map)
	if !ok {
		return 0, parcel{}, errPacked
	}
	return c.Serial, parcel{m, c.Groups}, nil
}

var errPacked = errors.New("the settings are not as a master of this version packs them")

// pack writes a mapping as the list [true, key, value, key, value...] and a list as [false, element...].
func pack(v any, depth int) (any, error) {
	if depth > document.MaxNested {
		return nil, fmt.Errorf("the settings nest deeper than %d once they are merged", document.MaxNested)
	}
	var out []any
	add := func(e any) error {
		p, err := pack(e, depth+1)
		out = append(out, p)
		return err
	}
	switch v := v.(type) {
	case *Map:
		out = append(make([]any, 0, 1+2*v.Len()), true)
		for k, e := range v.All() {
			out = append(out, k)
			if err := add(e); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out = append(make([]any, 0, 1+len(v)), false)
		for _, e := range v {
			if err := add(e); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

func unpack(v any) (any, error) {
	list, ok := v.([]any)
	if !ok {
		return v, nil
	}
	if len(list) == 0 {
		return nil, errPacked
	}
	isMap, ok := list[0].(bool)
	if list = list[1:]; !ok || isMap && len(list)%2 != 0 {
		return nil, errPacked
	}
	var err error
	if !isMap {
		for i := range list {
			if list[i], err = unpack(list[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	m := NewMap(len(list) / 2)
	for i := 0; i < len(list); i += 2 {
		key, ok := list[i].(string)
		value, err := unpack(list[i+1])
		if err != nil || !ok {
			return nil, errPacked
		}
		m.Set(key, value)
	}
	return m, nil
}

// fingerprintKey derives the masters' key for fingerprints: the account's signature, which is the same each time, of a text
// that is signed for nothing else.
func fingerprintKey(a Account) ([]byte, error) {
	sig, err := a.Sign([]byte("zester settings fingerprint key v1\x00"))
	if err != nil {
		return nil, fmt.Errorf("derive the fingerprint key: %w", err)
	}
	key := sha256.Sum256(sig)
	return key[:], nil
}
