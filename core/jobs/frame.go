package jobs

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// The journal is a sequence of frames: magic, length and CRC-32C of what follows, then a record.
const (
	frameMagic  = "ZJ"
	frameHeader = len(frameMagic) + 4 + 4
	maxFrame    = 4 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type recordKind uint8

const (
	recordBegin recordKind = 1 // the job is about to start
	recordEnd   recordKind = 2 // the job has come to its return
	recordSent  recordKind = 3 // the return is in the stream
)

// journalRecord is one thing that happened to a job on this peel.
type journalRecord struct {
	Kind     recordKind `msgpack:"k"`
	JID      string     `msgpack:"j"`
	Function string     `msgpack:"f,omitempty"`
	Expires  int64      `msgpack:"x,omitempty"` // of the command, Unix seconds
	At       int64      `msgpack:"t"`           // Unix nanoseconds
	Return   []byte     `msgpack:"r,omitempty"`
}

func (r journalRecord) at() time.Time { return time.Unix(0, r.At) }

func appendFrame(b []byte, r journalRecord) []byte {
	start := len(b)
	b = append(b, frameMagic...)
	b = append(b, make([]byte, frameHeader-len(frameMagic))...)
	b = appendRecord(b, &r)
	head, payload := b[start+len(frameMagic):], b[start+frameHeader:]
	binary.BigEndian.PutUint32(head, uint32(len(payload)))
	binary.BigEndian.PutUint32(head[4:], crc32.Checksum(payload, castagnoli))
	return b
}

// readFrame reads the frame that starts b. ok is false if there is no whole and sound one.
func readFrame(b []byte) (r journalRecord, size int, ok bool) {
	if len(b) < frameHeader || string(b[:len(frameMagic)]) != frameMagic {
		return r, 0, false
	}
	length := int(binary.BigEndian.Uint32(b[len(frameMagic):]))
	sum := binary.BigEndian.Uint32(b[len(frameMagic)+4:])
	b = b[frameHeader:]
	if length > maxFrame || length > len(b) || crc32.Checksum(b[:length], castagnoli) != sum {
		return r, 0, false
	}
	if bus.Unmarshal(b[:length], &r) != nil || CheckID(r.JID) != nil {
		return r, 0, false
	}
	return r, frameHeader + length, true
}

// scanFrames calls each for every sound frame and returns how many bytes were in none: the torn
// end that a power cut leaves, or damage, after which the next sound frame is looked for.
func scanFrames(data []byte, each func(r journalRecord, offset, size int)) (damaged int) {
	for offset := 0; offset < len(data); {
		r, size, ok := readFrame(data[offset:])
		if !ok {
			offset++
			damaged++
			continue
		}
		each(r, offset, size)
		offset += size
	}
	return damaged
}
