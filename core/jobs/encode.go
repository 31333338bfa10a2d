package jobs

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// Returns and the journal's records are encoded by hand: a reflecting encoder takes longer for
// them than most functions that only read take to run. What this writes bus.Unmarshal reads.

// appendReturn encodes a return. Its job and its peel are its subject's, and left out, as is
// what is zero.
func appendReturn(b []byte, r *Return) ([]byte, error) {
	value := []byte{0xc0}
	if yes, ok := r.Value.(bool); ok {
		value = appendBool(nil, yes)
	} else if r.Value != nil {
		var err error
		if value, err = bus.Marshal(r.Value); err != nil {
			return nil, err
		}
	}
	m := appendMap(b)
	m.string("function", r.Function)
	m.bool("success", r.Success)
	m.int("retcode", int64(r.Retcode))
	m.raw("value", value)
	m.string("error", r.Error)
	m.int("parts", int64(r.Parts))
	m.int("size", int64(r.Size))
	m.bytes("digest", r.Digest)
	m.bool("cut", r.Cut)
	m.string("reason", string(r.Reason))
	m.time("started", r.Started)
	m.int("duration", int64(r.Duration))
	return m.end(), nil
}

func appendRecord(b []byte, r *journalRecord) []byte {
	m := appendMap(b)
	m.int("k", int64(r.Kind))
	m.string("j", r.JID)
	m.string("f", r.Function)
	m.int("x", r.Expires)
	m.int("t", r.At)
	m.bytes("r", r.Return)
	return m.end()
}

// mapWriter appends a MessagePack map of fewer than 16 entries, without those that are zero.
type mapWriter struct {
	b     []byte
	start int
	n     byte
}

func appendMap(b []byte) *mapWriter { return &mapWriter{b: append(b, 0x80), start: len(b)} }

func (m *mapWriter) end() []byte {
	m.b[m.start] |= m.n
	return m.b
}

func (m *mapWriter) key(name string) {
	m.n++
	m.b = appendString(m.b, name)
}

func (m *mapWriter) raw(name string, encoded []byte) {
	m.key(name)
	m.b = append(m.b, encoded...)
}

func (m *mapWriter) string(name, s string) {
	if s != "" {
		m.key(name)
		m.b = appendString(m.b, s)
	}
}

func (m *mapWriter) bool(name string, yes bool) {
	if yes {
		m.key(name)
		m.b = appendBool(m.b, yes)
	}
}

func (m *mapWriter) int(name string, n int64) {
	if n != 0 {
		m.key(name)
		m.b = appendInt(m.b, n)
	}
}

func (m *mapWriter) bytes(name string, data []byte) {
	if len(data) > 0 {
		m.key(name)
		m.b = binary.BigEndian.AppendUint32(append(m.b, 0xc6), uint32(len(data)))
		m.b = append(m.b, data...)
	}
}

// time writes the extension type for times, with 96 bits: any time, to the nanosecond.
func (m *mapWriter) time(name string, t time.Time) {
	if t.IsZero() {
		return
	}
	m.key(name)
	m.b = append(m.b, 0xc7, 12, 0xff)
	m.b = binary.BigEndian.AppendUint32(m.b, uint32(t.Nanosecond()))
	m.b = binary.BigEndian.AppendUint64(m.b, uint64(t.Unix()))
}

func appendBool(b []byte, yes bool) []byte {
	if yes {
		return append(b, 0xc3)
	}
	return append(b, 0xc2)
}

func appendInt(b []byte, n int64) []byte {
	if 0 <= n && n <= math.MaxInt8 {
		return append(b, byte(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(n))
}

func appendString(b []byte, s string) []byte {
	switch {
	case len(s) < 32:
		b = append(b, 0xa0|byte(len(s)))
	case len(s) <= math.MaxUint8:
		b = append(b, 0xd9, byte(len(s)))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(len(s)))
	}
	return append(b, s...)
}
