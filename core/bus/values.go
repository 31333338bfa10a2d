package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrNotFound: there is no such entry.
	ErrNotFound = errors.New("not found")
	// ErrExists: Create found the key taken.
	ErrExists = errors.New("exists already")
	// ErrConflict: the entry has changed since the revision that Update names.
	ErrConflict = errors.New("changed by somebody else")
	// ErrFull: the bucket or stream has reached a limit of its own.
	ErrFull = errors.New("full")
	// ErrStored: a first-wins subject holds a message already.
	ErrStored = errors.New("stored already")
	// ErrTooLarge: the message is over the server's or the stream's limit for one.
	ErrTooLarge = errors.New("too large")
)

// Entry is a value in a bucket.
type Entry struct {
	Bucket, Key string
	Value       []byte
	Revision    uint64
	Created     time.Time // when this revision was stored, by the server's clock
	Deleted     bool      // the key was deleted or has expired; Value is empty
}

// Get reads one entry. It returns ErrNotFound for a missing or deleted one.
func (c *Conn) Get(ctx context.Context, bucket, key string) (Entry, error) {
	e, err := c.last(ctx, bucket, key)
	if err == nil && e.Deleted {
		err = ErrNotFound
	}
	if err != nil {
		return Entry{}, fmt.Errorf("%s %s: %w", bucket, key, err)
	}
	return e, nil
}

func (c *Conn) last(ctx context.Context, bucket, key string) (Entry, error) {
	subject := DirectGet(bucket, key)
	if c.opts.Side == Peels {
		subject = PeelGet(bucket, key)
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	reply, err := c.request(ctx, nats.NewMsg(subject))
	if err != nil {
		return Entry{}, err
	}
	switch classify(reply) {
	case stored:
		return entryOf(bucket, reply)
	case status:
		return Entry{}, statusError(reply)
	}
	return Entry{}, errHeaders
}

func statusError(m *nats.Msg) error {
	switch status := m.Header.Get("Status"); status {
	case "404":
		return ErrNotFound
	case "503":
		return ErrNoResponders
	default:
		return fmt.Errorf("nats answers %s %s", status, m.Header.Get("Description"))
	}
}

// entryOf reads a stored message as a bucket's entry.
func entryOf(bucket string, m *nats.Msg) (Entry, error) {
	subject, sequence := origin(m, originSubject), origin(m, originSequence)
	key, ok := strings.CutPrefix(subject, ValueSubject(bucket, ""))
	if !ok {
		return Entry{}, fmt.Errorf("nats answers with an entry of %q instead of bucket %q", subject, bucket)
	}
	rev, err := strconv.ParseUint(sequence, 10, 64)
	if err != nil {
		return Entry{}, fmt.Errorf("nats answers with revision %q", sequence)
	}
	created, _ := time.Parse(time.RFC3339Nano, origin(m, originTime))
	e := Entry{Bucket: bucket, Key: key, Value: m.Data, Revision: rev, Created: created}
	if m.Header.Get("KV-Operation") != "" || m.Header.Get("Nats-Marker-Reason") != "" {
		e.Deleted, e.Value = true, nil
	}
	return e, nil
}

// maxExact is how many keys one batch may name; the server's limit is 1,024.
const maxExact = 512

// GetMany reads all entries that match any of the patterns: keys, or keys with '*' and '>'.
// Missing and deleted ones are left out. The result is sorted by key, without duplicates.
func (c *Conn) GetMany(ctx context.Context, bucket string, patterns ...string) ([]Entry, error) {
	var exact []string
	byKey := map[string]Entry{}
	collect := func(e Entry) {
		if old, ok := byKey[e.Key]; !ok || old.Revision < e.Revision {
			byKey[e.Key] = e
		}
	}
	for _, p := range patterns {
		if !strings.ContainsAny(p, "*>") {
			exact = append(exact, ValueSubject(bucket, p))
			continue
		}
		// A bucket keeps one message per key, so reading all messages reads all last values.
		req := batch{NextFor: ValueSubject(bucket, p), Seq: 1, Batch: maxBatch}
		if err := c.readBatch(ctx, bucket, req, collect); err != nil {
			return nil, fmt.Errorf("%s %s: %w", bucket, p, err)
		}
	}
	for part := range slices.Chunk(exact, maxExact) {
		if err := c.readBatch(ctx, bucket, batch{MultiLast: part}, collect); err != nil {
			return nil, fmt.Errorf("%s: %w", bucket, err)
		}
	}
	entries := make([]Entry, 0, len(byKey))
	for _, e := range byKey {
		if !e.Deleted {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })
	return entries, nil
}

func (c *Conn) readBatch(ctx context.Context, bucket string, req batch, each func(Entry)) error {
	subject := DirectBatch(bucket)
	if c.opts.Side == Peels {
		subject = PeelBatch(bucket)
	}
	return c.directBatch(ctx, subject, req, func(m *nats.Msg) error {
		e, err := entryOf(bucket, m)
		if err == nil {
			each(e)
		}
		return err
	})
}

// Put stores a value, whatever was there, and returns its revision.
func (c *Conn) Put(ctx context.Context, bucket, key string, value []byte) (uint64, error) {
	return c.write(ctx, bucket, key, value, nil)
}

// PutTTL is Put of a value that expires after ttl, in whole seconds, unless it is put again.
// The bucket must allow it.
func (c *Conn) PutTTL(ctx context.Context, bucket, key string, value []byte, ttl time.Duration) (uint64, error) {
	return c.write(ctx, bucket, key, value, nats.Header{jetstream.MsgTTLHeader: {ttl.Truncate(time.Second).String()}})
}

// Create stores a value under a key that is free; otherwise it returns ErrExists.
func (c *Conn) Create(ctx context.Context, bucket, key string, value []byte) (uint64, error) {
	rev, err := c.Update(ctx, bucket, key, value, 0)
	if !errors.Is(err, ErrConflict) {
		return rev, err
	}
	e, err := c.last(ctx, bucket, key)
	if err == nil && e.Deleted { // a deletion's marker stands in the way of revision 0
		if rev, err = c.Update(ctx, bucket, key, value, e.Revision); !errors.Is(err, ErrConflict) {
			return rev, err
		}
	}
	return 0, fmt.Errorf("%s %s: %w", bucket, key, ErrExists)
}

// Update stores a value if the entry still has revision rev; otherwise it returns ErrConflict.
func (c *Conn) Update(ctx context.Context, bucket, key string, value []byte, rev uint64) (uint64, error) {
	h := nats.Header{jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(rev, 10)}}
	return c.write(ctx, bucket, key, value, h)
}

// markerLife is how long the marker of a deletion is kept, for those who were away, in buckets
// whose entries may carry a time to live; elsewhere it stays for ever.
const markerLife = time.Hour

// Delete removes an entry. Removing what is not there is no error.
func (c *Conn) Delete(ctx context.Context, bucket, key string) error {
	h := nats.Header{"KV-Operation": {"DEL"}}
	if hasTTL(bucket) {
		h.Set(jetstream.MsgTTLHeader, markerLife.String())
	}
	_, err := c.write(ctx, bucket, key, nil, h)
	return err
}

func (c *Conn) write(ctx context.Context, bucket, key string, value []byte, h nats.Header) (uint64, error) {
	rev, err := c.store(ctx, &nats.Msg{Subject: ValueSubject(bucket, key), Data: value, Header: h})
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w", bucket, key, err)
	}
	return rev, nil
}

// Store publishes into a stream and waits until it is stored. On a first-wins subject a
// second message is ErrStored.
func (c *Conn) Store(ctx context.Context, subject string, data []byte) error {
	_, err := c.store(ctx, &nats.Msg{Subject: subject, Data: data})
	return err
}

// StoreOnce is Store with a message id: a repetition within the stream's window is stored once.
// So it tries again, until the context ends, while the stream is there and has no leader.
func (c *Conn) StoreOnce(ctx context.Context, subject, id string, data []byte) error {
	for {
		_, err := c.store(ctx, &nats.Msg{Subject: subject, Data: data, Header: nats.Header{jetstream.MsgIDHeader: {id}}})
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrNoResponders) || !c.leaderless(ctx, subject) {
			return err
		}
		if !sleep(ctx, 200*time.Millisecond) {
			return fmt.Errorf("%s: the stream has no leader: %w", subject, context.Cause(ctx))
		}
	}
}

// leaderless tells a stream of a cluster that elects its leader from one that is not there:
// nobody answers a message to either. CORE only.
func (c *Conn) leaderless(ctx context.Context, subject string) bool {
	at := slices.IndexFunc(streams, func(s jetstream.StreamConfig) bool {
		return strings.HasPrefix(subject, strings.TrimRight(s.Subjects[0], "*>"))
	})
	if at < 0 || c.js == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := c.js.Stream(ctx, streams[at].Name)
	return !errors.Is(err, jetstream.ErrStreamNotFound) && !errors.Is(err, nats.ErrNoResponders) &&
		!errors.Is(err, jetstream.ErrJetStreamNotEnabled) && !errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount)
}

// store works on both sides: the answer to a publish into a stream is the same through an
// import as it is in the stream's own account.
func (c *Conn) store(ctx context.Context, msg *nats.Msg) (uint64, error) {
	if err := c.fits(msg.Data); err != nil {
		return 0, fmt.Errorf("%s: %w", msg.Subject, err)
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	reply, err := c.request(ctx, msg)
	if err != nil {
		return 0, err
	}
	rev, err := readPubAck(reply.Data)
	if err != nil {
		err = fmt.Errorf("%s: %w", msg.Subject, err)
	}
	return rev, err
}
