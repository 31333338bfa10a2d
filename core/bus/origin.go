package bus

import (
	"errors"

	"github.com/nats-io/nats.go"
)

// A direct get answers with stored messages: the publisher's headers as they came, and after
// them the server's own, which say what the message is. A peel can write anything into the
// headers of what it may store: the server's names too, a status, or a block that ends early, so
// that a reader takes the peel's word and never sees the server's. Hence only a block that was
// read to its very end counts, of a name only the last value, and a status only if nothing
// follows that was stored.

const (
	originSubject  = "Nats-Subject"
	originSequence = "Nats-Sequence"
	originTime     = "Nats-Time-Stamp"
)

type answer int

const (
	foreign answer = iota // headers that no client of ours has written
	stored
	status // the server's own word
)

var errHeaders = errors.New("what is stored there has headers that Zester does not write")

// maxHeaders is more than any message of ours has. With few lines, what a sloppily written one
// saves (a blank, a carriage return) cannot make up for the server's headers, of more than a
// hundred bytes.
const maxHeaders = 16

func classify(m *nats.Msg) answer {
	size := m.Size() - len(m.Subject) - len(m.Reply) - len(m.Data) // of the headers, as received
	lines, named := 0, len("NATS/1.0\r\n\r\n")
	for k, values := range m.Header {
		for _, v := range values {
			lines++
			named += len(k) + len(": ") + len(v) + len("\r\n")
		}
	}
	if lines > maxHeaders {
		return foreign
	}
	if len(m.Header.Values(originSequence)) > 0 {
		if size == named {
			return stored
		}
		return foreign
	}
	// A status stands in the first line: NATS/1.0 204 EOB
	inline := named - len("Status: \r\n") + len(" ")
	if m.Header.Get("Description") != "" {
		inline += len(" ") - len("Description: \r\n")
	}
	if m.Header.Get("Status") != "" && size == inline {
		return status
	}
	return foreign
}

// origin is what the server says of a stored message.
func origin(m *nats.Msg, name string) string {
	values := m.Header.Values(name)
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}
