package bus

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// feed is one consumer of a bucket. nats.go's own way of following one takes a message for the
// server's when it is empty and has a status among its headers; a peel that stores such a message
// could deafen a master for good. Here a stored message is told by its reply subject, which only
// the server sets.
type feed struct {
	entries chan Entry // Key is empty once, after what there was at the start
	broken  chan struct{}
	breaks  sync.Once
	stop    func()

	bucket  string
	next    uint64 // the consumer's number of the next message
	started bool   // the end of the initial entries has been told
}

const (
	feedHeartbeat = 5 * time.Second
	feedLinger    = 10 * time.Second // of a consumer whose follower is gone
)

// follow delivers the entries from a revision on; 0 is the last of every key.
func (c *Conn) follow(ctx context.Context, s jetstream.Stream, bucket, pattern string, from uint64) (*feed, error) {
	f := &feed{entries: make(chan Entry, 256), broken: make(chan struct{}), bucket: bucket, next: 1}
	done := make(chan struct{})
	silence := time.AfterFunc(3*feedHeartbeat, f.fail)
	inbox := c.nc.NewInbox()
	sub, err := c.nc.Subscribe(inbox, func(m *nats.Msg) {
		silence.Reset(3 * feedHeartbeat)
		f.take(m, done)
	})
	if err != nil {
		silence.Stop()
		return nil, fmt.Errorf("nats: %w", err)
	}
	sub.SetPendingLimits(-1, -1) // what is lost would have to be read again
	f.stop = sync.OnceFunc(func() {
		close(done)
		silence.Stop()
		sub.Unsubscribe()
	})
	config := jetstream.ConsumerConfig{
		DeliverSubject: inbox, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, AckPolicy: jetstream.AckNonePolicy, MaxDeliver: 1,
		FilterSubject: ValueSubject(bucket, pattern), IdleHeartbeat: feedHeartbeat, InactiveThreshold: feedLinger,
		MemoryStorage: true, Replicas: 1,
	}
	if from > 0 {
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, from
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	consumer, err := s.CreatePushConsumer(ctx, config)
	if err != nil {
		f.stop()
		return nil, err
	}
	if info := consumer.CachedInfo(); info.NumPending == 0 && info.Delivered.Consumer == 0 {
		f.give(Entry{}, done)
	}
	return f, nil
}

func (f *feed) fail() { f.breaks.Do(func() { close(f.broken) }) }

func (f *feed) give(e Entry, done <-chan struct{}) {
	select {
	case f.entries <- e:
	case <-done:
	}
}

// take handles what the server sends: entries, and heartbeats with the number of the last entry.
func (f *feed) take(m *nats.Msg, done <-chan struct{}) {
	meta, err := m.Metadata()
	if err != nil {
		if last := m.Header.Get("Nats-Last-Consumer"); last != "" && last != fmt.Sprint(f.next-1) {
			f.fail()
		}
		return
	}
	if meta.Sequence.Consumer != f.next {
		f.fail()
		return
	}
	f.next++
	e := Entry{Bucket: f.bucket, Key: strings.TrimPrefix(m.Subject, ValueSubject(f.bucket, "")), Value: m.Data, Revision: meta.Sequence.Stream, Created: meta.Timestamp}
	if m.Header.Get("KV-Operation") != "" || m.Header.Get("Nats-Marker-Reason") != "" {
		e.Deleted, e.Value = true, nil
	}
	f.give(e, done)
	if meta.NumPending == 0 && !f.started {
		f.started = true
		f.give(Entry{}, done)
	}
}
