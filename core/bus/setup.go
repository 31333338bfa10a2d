package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Buckets of the fleet.
const (
	BucketBasket      = "basket"
	BucketFacts       = "facts"
	BucketSettings    = "settings"
	BucketTrees       = "trees"
	BucketFiles       = "files"
	BucketJobs        = "jobs"
	BucketEnrollments = "enrollments"
	BucketChallenges  = "challenges"
	BucketLeases      = "leases"
)

const mib = 1 << 20

// bucketSpec is what a bucket may hold. A bucket that peels write has a limit for each value
// as well, since what a peel sends is its own affair.
type bucketSpec struct {
	name, description string
	maxBytes          int64 // of all values; the server reserves it
	maxValue          int32 // of one value
	age               time.Duration
	ttl               bool // entries may carry a time to live
	republish         bool // a note of every change goes to the peels
}

var buckets = []bucketSpec{
	{name: BucketBasket, description: "Peel-to-peel data sharing", maxBytes: 256 * mib, maxValue: 64 << 10, ttl: true},
	{name: BucketFacts, description: "Facts of each peel", maxBytes: 256 * mib, maxValue: 256 << 10},
	{name: BucketSettings, description: "Settings, sealed to each peel", maxBytes: 256 * mib, maxValue: mib, republish: true},
	{name: BucketTrees, description: "Pointers to published trees", maxBytes: 16 * mib, maxValue: 256 << 10, republish: true},
	{name: BucketFiles, description: "Chunks by their SHA-256", maxBytes: 4096 * mib, maxValue: 260 << 10, ttl: true},
	{name: BucketJobs, description: "Jobs and their targets", maxBytes: 512 * mib, maxValue: mib, age: 7 * 24 * time.Hour},
	{name: BucketEnrollments, description: "Enrollment of each peel", maxBytes: 64 * mib, maxValue: 16 << 10},
	{name: BucketChallenges, description: "Nonces of enrolling peels", maxBytes: 16 * mib, maxValue: 1 << 10, age: 5 * time.Minute},
	{name: BucketLeases, description: "Which master does what there is one of", maxBytes: 1 * mib, maxValue: 1 << 10, ttl: true},
}

func hasTTL(bucket string) bool {
	return slices.ContainsFunc(buckets, func(b bucketSpec) bool { return b.name == bucket && b.ttl })
}

var streams = []jetstream.StreamConfig{
	{
		Name: StreamReturns, Description: "Results of jobs: the first one of each peel stays",
		Subjects: []string{AllReturns, AllParts}, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
		MaxAge: 7 * 24 * time.Hour, MaxMsgs: 20_000_000, MaxBytes: 1024 * mib, MaxMsgSize: mib, AllowDirect: true,
	},
	{
		Name: StreamSubmissions, Description: "Job requests that no master has finished with",
		Subjects: []string{AllSubmissions}, Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew,
		MaxAge: 8 * 24 * time.Hour, MaxMsgs: 100_000, MaxBytes: 128 * mib, MaxMsgSize: mib, Duplicates: 10 * time.Minute, AllowDirect: true,
	},
	{
		Name: StreamEvents, Description: "Events of peels and masters",
		Subjects: []string{"zester.event.>"}, MaxAge: 7 * 24 * time.Hour, MaxMsgs: 10_000_000, MaxBytes: 256 * mib,
		MaxMsgSize: 64 << 10, AllowDirect: true,
	},
}

// Setup creates the fleet's buckets and streams or brings them up to date; doing it again
// changes nothing. replicas is the number of copies in a cluster, 1 elsewhere. It waits a while
// for a cluster that elects a leader still. CORE only.
func (c *Conn) Setup(ctx context.Context, replicas int) error {
	for _, b := range buckets {
		if err := c.ensureSoon(ctx, b.config(), replicas); err != nil {
			return fmt.Errorf("bucket %s: %w", b.name, err)
		}
	}
	for _, s := range streams {
		if err := c.ensureSoon(ctx, s, replicas); err != nil {
			return fmt.Errorf("stream %s: %w", s.Name, err)
		}
	}
	return nil
}

const (
	// setupPatience is how long a cluster may take until it can create a stream; ensureTimeout
	// is of one attempt: without a leader JetStream does not answer at all, nor later.
	setupPatience = 30 * time.Second
	ensureTimeout = 3 * time.Second
)

func (c *Conn) ensureSoon(ctx context.Context, want jetstream.StreamConfig, replicas int) error {
	ctx, cancel := context.WithTimeout(ctx, setupPatience)
	defer cancel()
	for {
		attempt, end := context.WithTimeout(ctx, ensureTimeout)
		err := c.ensure(attempt, want, replicas)
		end()
		if err == nil || !passing(err, replicas) || !sleep(ctx, 300*time.Millisecond) {
			return explainSetup(err)
		}
		c.log.Info("JetStream is not ready yet", "stream", want.Name, "error", err)
	}
}

// passing tells what a cluster says, or does not, before it has a leader and all its servers,
// and a server that is just trying out the directory of an account it has never stored for.
func passing(err error, replicas int) bool {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return true
	case !errors.As(err, &api):
		return false
	}
	return api.ErrorCode == 10008 || api.ErrorCode == 10049 || // temporarily unavailable; cannot store
		api.ErrorCode == 10005 && replicas > 1 // too few servers
}

// config is a key-value bucket by hand: nats.go's own way would allow rollups, with which a
// peel that may write one key could wipe the bucket.
func (b bucketSpec) config() jetstream.StreamConfig {
	s := jetstream.StreamConfig{
		Name: StreamOf(b.name), Description: b.description, Subjects: []string{ValueSubject(b.name, ">")},
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DenyDelete: true, AllowDirect: true,
		MaxBytes: b.maxBytes, MaxMsgSize: b.maxValue, MaxAge: b.age, Duplicates: 2 * time.Minute,
	}
	if b.ttl {
		// Without SubjectDeleteMarkerTTL, which would say of an entry that it has expired: the
		// server turns AllowRollup on with it.
		s.AllowMsgTTL = true
	}
	if b.republish {
		s.RePublish = &jetstream.RePublish{Source: ValueSubject(b.name, ">"), Destination: Republished(b.name, ">"), HeadersOnly: true}
	}
	return s
}

func (c *Conn) ensure(ctx context.Context, want jetstream.StreamConfig, replicas int) error {
	want.Storage, want.Replicas = jetstream.FileStorage, max(1, replicas)
	have, err := c.js.Stream(ctx, want.Name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		_, err = c.js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another master was faster
			err = nil
		}
	case err == nil:
		if update := merged(have.CachedInfo().Config, want); !satisfied(have.CachedInfo().Config, update) {
			_, err = c.js.UpdateStream(ctx, update)
		}
	}
	return err
}

// merged is what a stream is now with what Zester needs, less nothing an administrator has
// raised or added.
func merged(have, want jetstream.StreamConfig) jetstream.StreamConfig {
	m := have
	m.Subjects, m.MaxMsgsPerSubject, m.Discard, m.DiscardNewPerSubject = want.Subjects, want.MaxMsgsPerSubject, want.Discard, want.DiscardNewPerSubject
	m.AllowRollup, m.SubjectDeleteMarkerTTL, m.AllowMsgTTL, m.AllowDirect = false, 0, want.AllowMsgTTL, want.AllowDirect
	m.DenyDelete, m.RePublish = want.DenyDelete, want.RePublish
	m.MaxBytes, m.MaxMsgs = larger(have.MaxBytes, want.MaxBytes), larger(have.MaxMsgs, want.MaxMsgs)
	m.MaxMsgSize = int32(larger(int64(have.MaxMsgSize), int64(want.MaxMsgSize)))
	m.Replicas = max(have.Replicas, want.Replicas)
	return m
}

// larger compares limits, where the server's word for none is -1 and ours 0.
func larger(have, want int64) int64 {
	if have <= 0 || want <= 0 {
		return -1
	}
	return max(have, want)
}

func satisfied(have, want jetstream.StreamConfig) bool {
	return slices.Equal(have.Subjects, want.Subjects) && have.MaxMsgsPerSubject == want.MaxMsgsPerSubject &&
		have.Discard == want.Discard && have.DiscardNewPerSubject == want.DiscardNewPerSubject &&
		have.AllowRollup == want.AllowRollup && have.SubjectDeleteMarkerTTL == want.SubjectDeleteMarkerTTL &&
		have.AllowMsgTTL == want.AllowMsgTTL && have.AllowDirect == want.AllowDirect && have.DenyDelete == want.DenyDelete &&
		(have.RePublish == nil) == (want.RePublish == nil) && have.Replicas == want.Replicas &&
		have.MaxBytes == want.MaxBytes && have.MaxMsgs == want.MaxMsgs && have.MaxMsgSize == want.MaxMsgSize
}

func explainSetup(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case 10047, 10023: // storage, insufficient resources
			return fmt.Errorf("%s: give JetStream more room (max_file_store) on the NATS server", api.Description)
		case 10039, 10076: // JetStream is not enabled, for the account or at all
			return fmt.Errorf("%s: enable jetstream in the NATS server's configuration and for the CORE account", api.Description)
		case 10074, 10005:
			return fmt.Errorf("%s: lower --replicas to the number of servers", api.Description)
		}
	}
	return err
}
