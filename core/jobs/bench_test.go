package jobs_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/server"
)

func benchFleet(b *testing.B) *fleet {
	f := &fleet{TestServer: server.StartTest(b), log: slog.New(slog.DiscardHandler)}
	f.core = f.Core(b)
	f.presence = jobs.NewPresence(f.core, f.Account.Public(), nil)
	start(b, f.presence.Run)
	<-f.presence.Ready()
	return f
}

// BenchmarkFanout asks 200 peels at once, and in the same run does the same with nothing but
// NATS messages: ratio is the one by the other. With "shared" a job's signature is verified once
// for the process, as it would be once on each host of a real fleet.
func BenchmarkFanout(b *testing.B) {
	const peels = 200
	for _, shared := range []bool{false, true} {
		for _, function := range []string{"test.ping", "write.file"} {
			b.Run(fmt.Sprintf("shared=%t/%s", shared, function), func(b *testing.B) {
				f := benchFleet(b)
				raw := newScatter(b, f, peels)
				var ids []string
				var verifier *keys.Verifier
				if shared {
					v, err := keys.NewVerifier(f.Account.Public())
					if err != nil {
						b.Fatal(err)
					}
					verifier = v
				}
				for i := range peels {
					ids = append(ids, fmt.Sprintf("web-%03d", i))
					f.peel(b, ids[i], func(r *jobs.Runner) { r.Verifier = verifier })
				}
				f.master(b, ids)
				c := f.client(b)
				raw.gather(b)
				ask(b, c, function, peels)
				var plain, job []time.Duration
				for b.Loop() {
					at := time.Now()
					raw.gather(b)
					plain = append(plain, time.Since(at))
					at = time.Now()
					ask(b, c, function, peels)
					job = append(job, time.Since(at))
				}
				b.ReportMetric(float64(median(plain).Microseconds())/1000, "raw-ms")
				b.ReportMetric(float64(median(job).Microseconds())/1000, "job-ms")
				b.ReportMetric(float64(median(job))/float64(median(plain)), "ratio")
			})
		}
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func ask(b *testing.B, c *jobs.Client, function string, peels int) {
	j, err := c.Submit(b.Context(), jobs.Request{Target: "*", Function: function, Timeout: patience})
	if err != nil {
		b.Fatal(err)
	}
	if s := j.Wait(nil); s.Returned != peels || s.ExitCode() != 0 {
		b.Fatalf("%+v", s)
	}
}

// scatter is the least that asking everybody costs: a message to each, a message from each.
type scatter struct {
	conn    *bus.Conn
	n       int
	replies atomic.Int64
	all     chan struct{}
}

func newScatter(b *testing.B, f *fleet, n int) *scatter {
	s := &scatter{conn: f.core, n: n, all: make(chan struct{})}
	if _, err := f.core.Subscribe("bench.reply", func(bus.Msg) {
		if s.replies.Add(1) == int64(n) {
			s.all <- struct{}{}
		}
	}); err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 200)
	var all sync.WaitGroup
	for i := range n {
		c := f.Core(b)
		if _, err := c.Subscribe(fmt.Sprintf("bench.ask.%d", i), func(bus.Msg) { c.Publish("bench.reply", payload) }); err != nil {
			b.Fatal(err)
		}
		all.Go(func() {
			ctx, cancel := context.WithTimeout(b.Context(), patience)
			defer cancel()
			if err := c.Flush(ctx); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	return s
}

func (s *scatter) gather(b *testing.B) {
	s.replies.Store(0)
	payload := make([]byte, 400)
	for i := range s.n {
		if err := s.conn.Publish(fmt.Sprintf("bench.ask.%d", i), payload); err != nil {
			b.Fatal(err)
		}
	}
	<-s.all
}

// BenchmarkOnePeel is a job on one peel, from its submission to its return.
func BenchmarkOnePeel(b *testing.B) {
	for _, function := range []string{"test.ping", "write.file"} {
		b.Run(function, func(b *testing.B) {
			f := benchFleet(b)
			f.peel(b, "web-01")
			f.master(b, []string{"web-01"})
			c := f.client(b)
			for b.Loop() {
				ask(b, c, function, 1)
			}
		})
	}
}
