package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// stores are the messages that StoreAsync has sent and that no answer has come for.
type stores struct {
	mu      sync.Mutex
	inbox   string // what answers come to, less the number of the message; empty before the first
	next    uint64
	pending map[uint64]pendingStore
	sweep   *time.Timer // nil while nothing is pending
}

type pendingStore struct {
	subject string
	until   time.Time
	done    func(error)
}

// StoreAsync publishes into a stream and does not wait: done is called once, with what Store
// would have returned, or with context.DeadlineExceeded when no answer has come in time. It must
// not block. On an error of StoreAsync itself nothing was sent and done is not called.
func (c *Conn) StoreAsync(subject string, data []byte, timeout time.Duration, done func(error)) error {
	if err := c.fits(data); err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	reply, id, err := c.stores.add(c, subject, timeout, done)
	if err != nil {
		return err
	}
	if err := c.nc.PublishRequest(subject, reply, data); err != nil {
		c.stores.take(id)
		return fmt.Errorf("nats: %s: %w", subject, err)
	}
	return nil
}

func (s *stores) add(c *Conn, subject string, timeout time.Duration, done func(error)) (reply string, id uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inbox == "" {
		inbox := c.nc.NewInbox() + "."
		if _, err := c.nc.Subscribe(inbox+"*", s.answer); err != nil {
			return "", 0, fmt.Errorf("nats: %w", err)
		}
		s.inbox, s.pending = inbox, map[uint64]pendingStore{}
	}
	s.next++
	s.pending[s.next] = pendingStore{subject, time.Now().Add(timeout), done}
	if s.sweep == nil {
		s.sweep = time.AfterFunc(timeout, s.expire)
	}
	return s.inbox + strconv.FormatUint(s.next, 36), s.next, nil
}

// take gives a pending message to the caller, who alone calls done then.
func (s *stores) take(id uint64) (pendingStore, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pending[id]
	delete(s.pending, id)
	return p, ok
}

func (s *stores) answer(m *nats.Msg) {
	number, ok := strings.CutPrefix(m.Subject, s.inbox)
	id, err := strconv.ParseUint(number, 36, 64)
	if !ok || err != nil { // of a server that does not keep to subjects
		return
	}
	p, ok := s.take(id)
	if !ok {
		return
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		err = ErrNoResponders
	} else {
		_, err = readPubAck(m.Data)
	}
	p.finish(err)
}

func (p pendingStore) finish(err error) {
	if err != nil {
		err = fmt.Errorf("%s: %w", p.subject, err)
	}
	p.done(err)
}

// expire ends those whose time is over.
func (s *stores) expire() {
	now := time.Now()
	for _, p := range s.remove(func(p pendingStore) bool { return !p.until.After(now) }) {
		p.finish(fmt.Errorf("no answer in time: %w", context.DeadlineExceeded))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sweep = nil; len(s.pending) == 0 {
		return
	}
	var first time.Time
	for _, p := range s.pending {
		if first.IsZero() || p.until.Before(first) {
			first = p.until
		}
	}
	s.sweep = time.AfterFunc(time.Until(first), s.expire)
}

// refuse ends those to a subject that the server refuses to take messages for.
func (s *stores) refuse(subject string, err error) {
	for _, p := range s.remove(func(p pendingStore) bool { return strings.EqualFold(p.subject, subject) }) {
		p.done(err) // which names the subject
	}
}

func (s *stores) remove(which func(pendingStore) bool) (removed []pendingStore) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, p := range s.pending {
		if which(p) {
			delete(s.pending, id)
			removed = append(removed, p)
		}
	}
	return removed
}

func (c *Conn) fits(data []byte) error {
	if max := c.nc.MaxPayload(); max > 0 && int64(len(data)) > max {
		return fmt.Errorf("%w: %d bytes are over the server's max_payload of %d", ErrTooLarge, len(data), max)
	}
	return nil
}

// readPubAck reads what a stream answers to a message. The usual answer is short and of one
// shape, and a fleet that returns is answered a thousand times at once.
func readPubAck(data []byte) (seq uint64, err error) {
	if seq, ok := plainPubAck(data); ok {
		return seq, nil
	}
	var ack struct {
		Seq   uint64              `json:"seq"`
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(data, &ack); err != nil {
		return 0, fmt.Errorf("nats answers a write with %.60q", data)
	}
	if ack.Error != nil {
		return 0, storeError(ack.Error)
	}
	return ack.Seq, nil
}

// plainPubAck reads {"stream":"NAME", "seq":N} as the server writes it, and nothing else.
func plainPubAck(data []byte) (seq uint64, ok bool) {
	rest, ok := bytes.CutPrefix(data, []byte(`{"stream":"`))
	name, rest, found := bytes.Cut(rest, []byte(`", "seq":`))
	digits, closed := bytes.CutSuffix(rest, []byte("}"))
	if !ok || !found || !closed || len(digits) == 0 || len(digits) > 19 || bytes.ContainsAny(name, `"\`) {
		return 0, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		seq = 10*seq + uint64(d-'0')
	}
	return seq, true
}

func storeError(e *jetstream.APIError) error {
	switch e.ErrorCode {
	case jetstream.JSErrCodeStreamWrongLastSequence, 10164: // the latter in a cluster, of a write that is under way
		return ErrConflict
	case 10077: // maximum messages per subject, and every other limit: the text tells
		if strings.Contains(e.Description, "per subject") {
			return ErrStored
		}
		return fmt.Errorf("%w: %s", ErrFull, e.Description)
	case 10054: // over the stream's maximum message size
		return fmt.Errorf("%w: %s", ErrTooLarge, e.Description)
	}
	return fmt.Errorf("nats: %s (%d)", e.Description, e.ErrorCode)
}
